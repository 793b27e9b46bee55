// Predictions on request: the bundle is loaded once, then rows are asked often.
//
// **This is yours to write.** As it was written by `septet new`, a bundle is a JSON object, and its
// number `prediction` is the answer for every row.

import { Reader } from 'septet:capability/blob-read@0.1.0';

// Bytes that a bundle may have.
const MOST = 1 << 20;

// The model: an instance holds one.
let model = null;

export const predictor = {
  load(bundle) {
    if (bundle.size > BigInt(MOST)) {
      throw { tag: 'rejected', val: `the bundle is over ${MOST} bytes` };
    }
    let content;
    try {
      content = Reader.open(bundle.digest).read(0n, MOST);
    } catch (error) {
      const { tag, val } = error.payload ?? {};
      throw { tag: 'failed', val: `the bundle can't be read: ${val ?? tag ?? error}` };
    }
    let read;
    try {
      read = JSON.parse(new TextDecoder().decode(content)).prediction;
    } catch {
      read = undefined;
    }
    if (typeof read !== 'number') {
      throw { tag: 'rejected', val: "the bundle has no number 'prediction'" };
    }
    model = read;
    return {
      // Columns that `predict` needs: none yet.
      inputs: [],
      outputs: [{ name: 'prediction', kind: 'floats', nullable: false }],
    };
  },

  predict(batch) {
    if (model === null) throw { tag: 'failed', val: 'no bundle is loaded' };
    const val = new Float64Array(batch.rows).fill(model);
    const values = { tag: 'floats', val };
    return {
      rows: batch.rows,
      columns: [{ name: 'prediction', values, nulls: new Uint32Array(0) }],
    };
  },
};
