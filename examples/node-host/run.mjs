// Runs calls of Septet's stages, each on what those before it wrote, and keeps the registry.
//
//     node run.mjs STAGES CALLS.json OUT
//
// `septet stages export --out STAGES` writes the components. An input in CALLS.json is a file, or
// STAGE.OUTPUT of an earlier call. OUT gets blobs and the registry; each call prints a line of JSON.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { BUNDLE, Host, plain } from './septet_host.mjs';

const TYPES = {
  '.csv': 'text/csv',
  '.jsonl': 'application/x-ndjson',
  '.json': 'application/json',
  '.parquet': 'application/vnd.apache.parquet',
  '.arrow': 'application/vnd.apache.arrow.file',
  '.septet': BUNDLE,
};

// The bundle becomes a version; the alias moves where it still points where it was seen.
function propose(registry, { model, bundleDigest, summary, change }) {
  const versions = (registry[model] ??= []);
  let version = versions.find((known) => known.bundleDigest === bundleDigest);
  if (!version) versions.push((version = { number: versions.length + 1, bundleDigest, summary }));
  const alias = `${model}@${change?.alias}`;
  if (change && registry[alias]?.bundleDigest === change.expected) registry[alias] = version;
}

const [stages, calls, out] = process.argv.slice(2).map((path) => resolve(path));
const near = (path) => resolve(dirname(calls), path);
mkdirSync(out, { recursive: true });
const kept = join(out, 'registry.json');
const registry = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : {};
const host = new Host(stages, join(out, 'blobs'), registry);
const outputs = new Map();
const artifact = (name, given) => {
  const found = outputs.get(given) ?? host.put(readFileSync(near(given)), TYPES[extname(given)]);
  return { ...found, name };
};

for (const call of JSON.parse(readFileSync(calls, 'utf8'))) {
  const named = Object.entries(call.inputs).flatMap(([name, some]) =>
    [some].flat().map((given) => artifact(name, given)));
  const done = await host.call({
    ...call,
    inputs: named,
    transforms: (call.transforms ?? []).map(near),
    component: call.component && near(call.component),
  });
  for (const output of done.outcome.outputs) outputs.set(`${call.stage}.${output.name}`, output);
  for (const proposal of done.proposals) propose(registry, proposal);
  writeFileSync(kept, JSON.stringify(registry));
  console.log(JSON.stringify(plain(done)));
}
