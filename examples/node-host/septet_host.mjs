// Septet's stages inside a Node program: a host for any of the seven, by jco. It acts on nothing
// that a stage asks for: messages and proposals are the caller's, as in run.mjs.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transpileBytes } from '@bytecodealliance/jco-transpile';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';

export const BUNDLE = 'application/vnd.septet.model-bundle';
const SEALED = { preopens: {}, env: {}, args: [], enableNetwork: false };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
// An error of the contract: a variant with this tag.
const fault = (tag, val) => Object.assign(new Error(tag), { payload: { tag, val } });

// As JSON: names have capitals in jco and underscores in JSON; numbers of 64 bits are bigints.
export function plain(value) {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value ?? null;
  const named = ([name, field]) => [name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), plain(field)];
  return Object.fromEntries(Object.entries(value).map(named));
}

const sorted = (_, value) => value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

// What calls share: components, a folder of blobs, and the version that MODEL@ALIAS points at.
export class Host {
  constructor(stages, blobs, registry) {
    Object.assign(this, { stages, blobs, registry, components: new Map(), types: new Map() });
    mkdirSync(blobs, { recursive: true });
  }

  put(content, mediaType) {
    const digest = sha256(content);
    writeFileSync(join(this.blobs, digest), content);
    if (!this.types.has(digest)) this.types.set(digest, mediaType);
    return { digest, size: BigInt(content.length), mediaType };
  }

  // Makes instances of a component. Afterwards that takes no turn of the event loop, so that a
  // capability, which must answer at once, can make one.
  async component(path) {
    if (this.components.has(path)) return;
    const folder = mkdtempSync(join(tmpdir(), 'septet-'));
    try {
      const options = { name: 'component', instantiation: 'sync', outDir: folder, wasiShim: false };
      const { files } = await transpileBytes(readFileSync(path), options);
      const file = (name) => Object.entries(files).find(([path]) => path.endsWith(`/${name}`))[1];
      writeFileSync(join(folder, 'component.mjs'), file('component.js'));
      const { instantiate } = await import(pathToFileURL(join(folder, 'component.mjs')));
      const modules = new Map();
      const module = (name) => {
        if (!modules.has(name)) modules.set(name, new WebAssembly.Module(file(name)));
        return modules.get(name);
      };
      this.components.set(path, (imports) => instantiate(module, imports));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  // One call of a stage; an input is what `put` gave, and a name.
  async call({ stage, inputs, parameters, seed = 0, transforms = [], component }) {
    const own = component ?? join(this.stages, `${stage}.wasm`);
    const infer = join(this.stages, 'infer.wasm');
    for (const path of [own, infer, ...transforms]) await this.component(path);
    const effects = { messages: [], proposals: [] };
    const imports = this.capabilities(inputs, parameters, infer, transforms, effects);
    const invocation = { inputs, parameters: JSON.stringify(parameters, sorted), seed: BigInt(seed) };
    try {
      const outcome = this.components.get(own)(imports).stage.run(invocation);
      return { stage, outcome, ...effects };
    } catch (error) {
      throw error.payload ? new Error(`${stage}: ${JSON.stringify(plain(error.payload))}`) : error;
    }
  }

  capabilities(inputs, parameters, infer, transforms, effects) {
    const host = this;
    const seen = new Set(inputs.map(({ digest }) => digest));
    const granted = new Map(transforms.map((path) => [sha256(readFileSync(path)), path]));
    const [models, imports] = [new Map(), {}];
    const typed = (digest) => host.types.get(digest) ?? BUNDLE;
    class Reader {
      static open(digest) {
        if (!seen.has(digest)) throw fault('access-denied');
        return Object.assign(new Reader(), { digest, content: readFileSync(join(host.blobs, digest)) });
      }
      info() { return { size: BigInt(this.content.length), digest: this.digest, mediaType: typed(this.digest) }; }
      read(at, length) { return new Uint8Array(this.content.subarray(Number(at), Number(at) + length)); }
    }
    class Writer {
      static create(mediaType) { return Object.assign(new Writer(), { mediaType, pieces: [] }); }
      // A copy: the bytes are the component's memory.
      write(bytes) { this.pieces.push(Buffer.from(bytes)); }
      finish() {
        const written = host.put(Buffer.concat(this.pieces), this.mediaType);
        seen.add(written.digest);
        return written;
      }
    }
    const list = (prefix, after, limit) => {
      const same = (name) => inputs.filter((input) => input.name === name);
      const key = (input) => same(input.name).length === 1 ? input.name
        : `${input.name}/${String(same(input.name).indexOf(input)).padStart(5, '0')}`;
      const entries = inputs.map((input) => ({ key: key(input), size: input.size, digest: input.digest }));
      const found = entries.filter(({ key }) => key.startsWith(prefix) && key > (after ?? ''));
      return found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, Math.min(limit, 1000));
    };
    const alias = (model, name) => {
      if (model !== parameters.model) throw fault('access-denied');
      const version = host.registry[`${model}@${name}`];
      if (version) seen.add(version.bundleDigest);
      return version;
    };
    const ask = (act, known) => {
      try { return act(); } catch (error) { throw error.payload ? known(error.payload) : error; }
    };
    const predict = (digest, batch) => {
      if (!seen.has(digest)) throw fault('access-denied');
      if (!models.has(digest)) {
        const { predictor } = host.components.get(infer)(imports);
        const size = BigInt(readFileSync(join(host.blobs, digest)).length);
        const bundle = { name: 'bundle', digest, size, mediaType: BUNDLE };
        ask(() => predictor.load(bundle), ({ val }) => fault('other', val));
        models.set(digest, predictor);
      }
      const why = ({ tag, val }) => fault(tag === 'rejected' ? tag : 'other', val);
      return ask(() => models.get(digest).predict(batch), why);
    };
    const apply = (digest, batch) => {
      if (!granted.has(digest)) throw fault('access-denied');
      // A fresh instance for each batch: a transform keeps nothing.
      const { transform } = host.components.get(granted.get(digest))(imports);
      return ask(() => transform.apply(batch), (why) => fault('rejected', JSON.stringify(plain(why))));
    };
    const hex = (body) => Buffer.from(body).toString('hex');
    const send = (label, body) => void effects.messages.push({ label, body: hex(body) });
    const log = { write: (level, line) => console.error(level, line), progress() {} };
    const propose = (proposal) => void effects.proposals.push(proposal);
    const named = { 'blob-list': { list }, 'blob-read': { Reader }, 'blob-write': { Writer }, queue: { send }, log,
      'registry-read': { alias }, 'registry-propose': { propose }, transforms: { apply }, models: { predict } };
    const ours = Object.entries(named).map(([name, members]) => [`septet:capability/${name}`, members]);
    return Object.assign(imports, new WASIShim({ sandbox: SEALED }).getImportObject(), Object.fromEntries(ours));
  }
}
