// Tests of the logic, in ordinary Node: `npm test`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ratio } from './ratio.js';

test('a ratio is a quotient', () => {
  assert.equal(ratio(39, 20), 1.95);
  assert.equal(ratio(0, 20), 0);
});

test('what is missing stays missing', () => {
  assert.equal(ratio(null, 20), null);
  assert.equal(ratio(39, null), null);
});

test('a ratio that is no number is missing', () => {
  assert.equal(ratio(39, 0), null);
  assert.equal(ratio(0, 0), null);
  assert.equal(ratio(NaN, 1), null);
  assert.equal(ratio(Number.MAX_VALUE, 2 ** -1022), null);
});
