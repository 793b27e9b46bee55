// Tests of the work, in ordinary Node: `npm test`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Counted, OUTPUTS, document } from './work.js';

function counted(...pieces) {
  const count = new Counted();
  for (const piece of pieces) count.add(new TextEncoder().encode(piece));
  return count;
}

test('lines do not depend on the pieces', () => {
  assert.equal(counted('a\nb\n').lines, 2);
  assert.equal(counted('a\n', '', 'b').lines, 2);
  assert.equal(counted('a', '\nb').lines, 2);
  assert.equal(counted().lines, 0);
});

test('equal inputs give equal documents', () => {
  for (const output of OUTPUTS) {
    const made = () => document(output, [['a', counted('1\n')]], { k: 1 }, 7n);
    assert.equal(made(), made());
    assert.equal(JSON.parse(made()).inputs[0].lines, 1);
  }
});
