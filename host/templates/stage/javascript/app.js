// From an invocation to its outcome: inputs are read piece by piece, outputs written, and every error
// becomes what is to become of the message.

import { Reader } from 'septet:capability/blob-read@0.1.0';
import { Writer } from 'septet:capability/blob-write@0.1.0';
import { progress } from 'septet:capability/log@0.1.0';
{{deploy}}import { propose } from 'septet:capability/registry-propose@0.1.0';

import { Counted, INPUTS, MEDIA_TYPE, OUTPUTS, document } from './work.js';
{{infer}}
{{infer}}export { predictor } from './predictor.js';

// Bytes that are read at once.
const PIECE = 1 << 20;

export const stage = {
  run(invocation) {
    const parameters = JSON.parse(invocation.parameters);
    for (const name of INPUTS) {
      if (!invocation.inputs.some((input) => input.name === name)) {
        // Rejected: this input can never work, so it is not tried again. What is thrown is a case of
        // the contract's `stage-error`.
        throw { tag: 'rejected', val: `the input '${name}' is missing` };
      }
    }
    const inputs = invocation.inputs.map((input) => [input.name, count(input)]);
{{deploy}}    register(invocation, parameters);
    const outputs = OUTPUTS.map((name) => {
      const text = document(name, inputs, parameters, invocation.seed);
      return write(name, new TextEncoder().encode(text));
    });
    const bytes = inputs.reduce((sum, [, counted]) => sum + counted.bytes, 0);
    return {
      outputs,
      metrics: [{ name: 'bytes', value: bytes }],
      notes: ['{{name}} counts its inputs and does no more yet'],
    };
  },
};

/** Reads an input from its first byte to its last. */
function count(input) {
  const counted = new Counted();
  // Numbers of 64 bits are BigInt in JavaScript.
  const size = Number(input.size);
  const reader = asked(input.name, () => Reader.open(input.digest));
  while (counted.bytes < size) {
    const piece = asked(input.name, () => reader.read(BigInt(counted.bytes), PIECE));
    if (piece.length === 0) throw { tag: 'failed', val: `'${input.name}' ended before its size` };
    counted.add(piece);
    // This is also where the host stops a stage: call it in every long loop.
    progress(BigInt(counted.bytes), input.size);
  }
  return counted;
}

/** Writes an output and names it. */
function write(name, bytes) {
  const info = asked(name, () => {
    const writer = Writer.create(MEDIA_TYPE);
    for (let at = 0; at < bytes.length; at += PIECE) writer.write(bytes.subarray(at, at + PIECE));
    return writer.finish();
  });
  return { name, digest: info.digest, size: info.size, mediaType: info.mediaType };
}

/** What is to become of the message: a store that is away is tried again, anything else is said. */
function asked(name, ask) {
  try {
    return ask();
  } catch (error) {
    const { tag, val } = error.payload ?? {};
    if (tag === 'unavailable') {
      const reason = `'${name}': the store is not available: ${val}`;
      throw { tag: 'retry', val: { milliseconds: 5000n, reason } };
    }
    if (tag === 'too-large') {
      throw { tag: 'rejected', val: `'${name}' is over the limit of ${val} bytes` };
    }
    throw { tag: 'failed', val: `'${name}': ${val ?? tag ?? error}` };
  }
}
{{deploy}}
{{deploy}}/**
{{deploy}} * Proposes the bundle as a version of its model. The alias stays where it is: whether it is to move
{{deploy}} * is what the evaluation says, and yours to read.
{{deploy}} */
{{deploy}}function register(invocation, parameters) {
{{deploy}}  const bundle = invocation.inputs.find((input) => input.name === 'bundle');
{{deploy}}  const { model } = parameters;
{{deploy}}  if (model === undefined) throw { tag: 'rejected', val: "the parameter 'model' is missing" };
{{deploy}}  try {
{{deploy}}    propose({ model, bundleDigest: bundle.digest, summary: '{}', change: undefined });
{{deploy}}  } catch (error) {
{{deploy}}    const { tag, val } = error.payload ?? {};
{{deploy}}    throw { tag: 'failed', val: `the proposal: ${val ?? tag ?? error}` };
{{deploy}}  }
{{deploy}}}
