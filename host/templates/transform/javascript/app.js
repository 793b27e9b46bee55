// What the transform says of itself, and how columns pass through it.

import { put, values } from './columns.js';
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
    const lengths = values(batch, LENGTH, 'floats');
    const depths = values(batch, DEPTH, 'floats');
    const ratios = lengths.map((length, row) => ratio(length, depths[row]));
    put(batch, RATIO, 'floats', ratios);
    return batch;
  },
};
