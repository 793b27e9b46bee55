//! Components with much code, made byte by byte: as text they would take longer to read than the
//! compiler takes to give up.

/// A number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

/// A component with a module of so many functions, with so many multiplications in each.
pub(crate) fn code(functions: usize, steps: usize) -> Vec<u8> {
    // (local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 13)) (local.get 1)))
    let step = [0x20, 0, 0x42, 13, 0x7c, 0x20, 1, 0x7e, 0x21, 0];
    let mut body = vec![0];
    body.extend(step.repeat(steps));
    body.push(0x0b);
    let sized = [leb(body.len()), body].concat();
    let count = leb(functions);
    // One type, of two i64, which all functions have.
    let types = section(1, &[1, 0x60, 2, 0x7e, 0x7e, 0]);
    let declared = section(3, &[count.clone(), vec![0; functions]].concat());
    let bodies = section(10, &[count, sized.repeat(functions)].concat());
    let module = [b"\0asm\x01\0\0\0".as_slice(), &types, &declared, &bodies].concat();
    [b"\0asm\x0d\0\x01\0".as_slice(), &section(1, &module)].concat()
}
