// Runs a component composed for Spin as Spin does: behind HTTP, with a key-value store. Asks it to
// store SOURCE, to run INVOCATION on it, and for each output; OUT gets outcome.json and the outputs.
//
//     node spin_host.mjs APP SOURCE INVOCATION OUT

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const packages = createRequire(join(process.env.SEPTET_NODE_PACKAGES, 'package.json'));
const load = (name) => import(pathToFileURL(packages.resolve(name)));
const { transpileBytes } = await load('@bytecodealliance/jco-transpile');
const { WASIShim } = await load('@bytecodealliance/preview2-shim/instantiation');
const { HTTPServer } = await load('@bytecodealliance/preview2-shim/http');

const [app, source, invocationPath, out] = process.argv.slice(2);

// Spin's key-value store, as far as its WASI draft has it.
const values = new Map();
class Bucket {
  get(key) {
    return values.get(key);
  }
  set(key, value) {
    values.set(key, new Uint8Array(value));
  }
  delete(key) {
    values.delete(key);
  }
  exists(key) {
    return values.has(key);
  }
  listKeys() {
    return { keys: [...values.keys()], cursor: undefined };
  }
}

const store = {
  Bucket,
  open(name) {
    if (name !== 'default') throw Object.assign(new Error(name), { payload: { tag: 'no-such-store' } });
    return new Bucket();
  },
};

const folder = mkdtempSync(join(tmpdir(), 'septet-spin-'));
const { files } = await transpileBytes(readFileSync(app), {
  name: 'component',
  instantiation: 'async',
  outDir: folder,
  wasiShim: false,
  emitTypescriptDeclarations: false,
});
const file = (name) => Object.entries(files).find(([path]) => path.endsWith(`/${name}`))[1];
writeFileSync(join(folder, 'component.mjs'), file('component.js'));
const { instantiate } = await import(pathToFileURL(join(folder, 'component.mjs')));
rmSync(folder, { recursive: true });
const modules = new Map();
const module = async (name) => {
  if (!modules.has(name)) modules.set(name, await WebAssembly.compile(file(name)));
  return modules.get(name);
};
const imports = { ...new WASIShim().getImportObject(), 'wasi:keyvalue/store': store };
const component = await instantiate(module, imports);

const server = new HTTPServer(component.incomingHandler);
server.listen(0, '127.0.0.1');
const { port } = server.address();
const base = `http://127.0.0.1:${port}/ingest`;

async function ask(path, options, status) {
  const response = await fetch(base + path, options);
  if (response.status !== status) {
    throw new Error(`${path}: ${response.status} instead of ${status}: ${await response.text()}`);
  }
  return response;
}

const stored = await ask(
  '/blobs',
  { method: 'PUT', headers: { 'content-type': 'text/csv' }, body: readFileSync(source) },
  201,
);
const invocation = JSON.parse(readFileSync(invocationPath, 'utf8'));
invocation.inputs = [{ name: 'source', ...(await stored.json()) }];
const body = JSON.stringify(invocation);
const outcome = await (await ask('', { method: 'POST', body }, 200)).json();
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'outcome.json'), JSON.stringify(outcome));
for (const output of outcome.outputs) {
  const blob = await ask(`/blobs/${output.digest}`, {}, 200);
  if (blob.headers.get('content-type') !== output.media_type) throw new Error(output.name);
  writeFileSync(join(out, output.name), Buffer.from(await blob.arrayBuffer()));
}
// What can't be: an unknown blob, and an input that can never work.
await ask(`/blobs/${'0'.repeat(64)}`, {}, 404);
await ask('', { method: 'POST', body: JSON.stringify({ inputs: [] }) }, 422);
await ask('', { method: 'POST', body: '{' }, 400);
server.stop();
process.exit(0);
