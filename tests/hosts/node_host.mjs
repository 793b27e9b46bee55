// A host for any stage in Node: jco turns the component into a module, and the capabilities are
// written here.
//
//     node node_host.mjs CASE OUT
//
// CASE and OUT are as in python_host.py. It shares no code with the host in Rust: it shows what the
// contract alone promises.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The packages are installed beside the tests' other tools, not beside this file.
const packages = createRequire(join(process.env.SEPTET_NODE_PACKAGES, 'package.json'));
const { transpileBytes } = await import(pathToFileURL(packages.resolve('@bytecodealliance/jco-transpile')));
const { WASIShim } = await import(
  pathToFileURL(packages.resolve('@bytecodealliance/preview2-shim/instantiation'))
);

const [caseFolder, out] = process.argv.slice(2);
const call = JSON.parse(readFileSync(join(caseFolder, 'call.json'), 'utf8'));
const mediaTypes = new Map(call.inputs.map((input) => [input.digest, input.media_type]));
const messages = [];
const proposals = [];
mkdirSync(join(out, 'blobs'), { recursive: true });

// An error of the contract: a variant with this tag.
const fault = (tag, val) => Object.assign(new Error(tag), { payload: { tag, val } });

function pathOf(digest) {
  if (!/^[0-9a-f]{64}$/.test(digest)) return undefined;
  return [out, caseFolder].map((folder) => join(folder, 'blobs', digest)).find((path) => existsSync(path));
}

const described = (content, mediaType) => ({
  size: BigInt(content.length),
  digest: createHash('sha256').update(content).digest('hex'),
  mediaType,
});

class Reader {
  static open(digest) {
    const path = pathOf(digest);
    if (path === undefined) throw fault('access-denied');
    const reader = new Reader();
    reader.content = readFileSync(path);
    reader.mediaType = mediaTypes.get(digest) ?? 'application/octet-stream';
    return reader;
  }
  info() {
    return described(this.content, this.mediaType);
  }
  read(offset, length) {
    const from = Number(offset);
    return new Uint8Array(this.content.subarray(from, from + length));
  }
}

class Writer {
  static create(mediaType) {
    const writer = new Writer();
    writer.mediaType = mediaType;
    writer.pieces = [];
    return writer;
  }
  write(bytes) {
    // A copy: the bytes are the component's memory.
    this.pieces.push(Buffer.from(bytes));
  }
  finish() {
    const content = Buffer.concat(this.pieces);
    const info = described(content, this.mediaType);
    writeFileSync(join(out, 'blobs', info.digest), content);
    mediaTypes.set(info.digest, this.mediaType);
    return info;
  }
}

function alias(model, name) {
  const pinned = (call.aliases ?? []).find((entry) => entry.model === model && entry.alias === name);
  if (pinned === undefined) throw fault('access-denied');
  if (pinned.version === null) return undefined;
  const { number, bundle, summary } = pinned.version;
  return { number, bundleDigest: bundle, summary };
}

function propose({ model, bundleDigest, summary, change }) {
  proposals.push({
    model,
    bundle: bundleDigest,
    summary,
    change: change ? { alias: change.alias, expected: change.expected ?? null, reason: change.reason } : null,
  });
}

// Components that a capability asks are instantiated beforehand, because an import answers at once
// and instantiating takes a turn of the event loop.
const transforms = new Map();
const predictors = new Map();

function apply(digest, batch) {
  if (!transforms.has(digest)) throw fault('access-denied');
  try {
    return transforms.get(digest).apply(batch);
  } catch (error) {
    if (!error.payload) throw error;
    throw fault('rejected', `${error.payload.tag}: ${JSON.stringify(error.payload.val)}`);
  }
}

function predict(digest, batch) {
  const predictor = predictors.get(digest);
  if (predictor === undefined) throw fault('access-denied');
  try {
    if (!predictor.loaded) {
      predictor.load({
        name: 'bundle',
        digest,
        size: BigInt(statSync(pathOf(digest)).size),
        mediaType: mediaTypes.get(digest) ?? 'application/vnd.septet.model-bundle',
      });
      predictor.loaded = true;
    }
    return predictor.predict(batch);
  } catch (error) {
    if (!error.payload) throw error;
    const tag = predictor.loaded && error.payload.tag === 'rejected' ? 'rejected' : 'other';
    throw fault(tag, error.payload.val);
  }
}

const imports = {
  ...new WASIShim().getImportObject(),
  'septet:capability/blob-list': {
    list() {
      throw fault('access-denied');
    },
  },
  'septet:capability/blob-read': { Reader },
  'septet:capability/blob-write': { Writer },
  'septet:capability/queue': {
    send(label, body) {
      messages.push({ label, body: Buffer.from(body).toString('hex') });
    },
  },
  'septet:capability/registry-read': { alias },
  'septet:capability/registry-propose': { propose },
  'septet:capability/transforms': { apply },
  'septet:capability/models': { predict },
  'septet:capability/log': { write() {}, progress() {} },
};

async function instance(path) {
  const folder = mkdtempSync(join(tmpdir(), 'septet-jco-'));
  try {
    const { files } = await transpileBytes(readFileSync(path), {
      name: 'component',
      instantiation: 'async',
      outDir: folder,
      wasiShim: false,
      emitTypescriptDeclarations: false,
    });
    const file = (name) => Object.entries(files).find(([path]) => path.endsWith(`/${name}`))[1];
    const module = join(folder, 'component.mjs');
    writeFileSync(module, file('component.js'));
    const { instantiate } = await import(pathToFileURL(module));
    return await instantiate((name) => WebAssembly.compile(file(name)), imports);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [digest, path] of Object.entries(call.transforms ?? {})) {
  transforms.set(digest, (await instance(path)).transform);
}
if (call.infer) {
  const pinned = (call.aliases ?? []).flatMap(({ version }) => (version ? [version.bundle] : []));
  const bundles = call.inputs.filter(({ name }) => name === 'bundle').map(({ digest }) => digest);
  for (const digest of new Set([...bundles, ...pinned])) {
    const { predictor } = await instance(call.infer);
    predictors.set(digest, {
      load: predictor.load,
      predict: predictor.predict,
      loaded: false,
    });
  }
}

const { stage } = await instance(call.component);
let outcome;
try {
  const { outputs, metrics, notes } = stage.run({
    inputs: call.inputs.map(({ name, digest, size, media_type: mediaType }) => ({
      name,
      digest,
      size: BigInt(size),
      mediaType,
    })),
    parameters: call.parameters,
    seed: BigInt(call.seed),
  });
  outcome = {
    outputs: outputs.map(({ name, digest, size, mediaType }) => ({
      name,
      digest,
      size: Number(size),
      media_type: mediaType,
    })),
    metrics,
    notes,
  };
} catch (error) {
  if (!error.payload) throw error;
  const { tag, val } = error.payload;
  outcome = { [tag]: typeof val === 'string' ? val : { ...val, milliseconds: Number(val.milliseconds) } };
}
writeFileSync(join(out, 'outcome.json'), JSON.stringify(outcome));
writeFileSync(join(out, 'effects.json'), JSON.stringify({ messages, proposals }));
