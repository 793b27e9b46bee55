// What the transform says of itself, and how columns pass through it.

import { ratio } from './ratio.js';

// Columns that are read: a batch without them is not passed.
const LENGTH = 'bill_length_mm';
const DEPTH = 'bill_depth_mm';
// The column that is added.
const RATIO = 'bill_ratio';

export const transform = {
  describe() {
    return {
      name: '{{name}}',
      version: '1.0.0',
      needs: [
        { name: LENGTH, kind: 'floats' },
        { name: DEPTH, kind: 'floats' },
      ],
      adds: [{ name: RATIO, kind: 'floats' }],
      removes: [],
    };
  },

  apply(batch) {
    const lengths = floats(batch, LENGTH);
    const depths = floats(batch, DEPTH);
    const ratios = new Float64Array(batch.rows);
    const nulls = [];
    for (let row = 0; row < batch.rows; row++) {
      const value = ratio(lengths[row], depths[row]);
      // The slot of a row without a value holds anything, and is named in `nulls`.
      if (value === null) nulls.push(row);
      else ratios[row] = value;
    }
    batch.columns.push({
      name: RATIO,
      values: { tag: 'floats', val: ratios },
      nulls: Uint32Array.from(nulls),
    });
    return batch;
  },
};

/** The values of a column of floats, null for each row without one. */
function floats(batch, name) {
  const column = batch.columns.find((column) => column.name === name);
  // What is thrown is a case of the contract's `error`.
  if (!column) throw { tag: 'missing-column', val: name };
  if (column.values.tag !== 'floats') {
    const val = { column: name, expected: 'floats', found: column.values.tag };
    throw { tag: 'wrong-kind', val };
  }
  const values = Array.from(column.values.val);
  for (const row of column.nulls) values[row] = null;
  return values;
}
