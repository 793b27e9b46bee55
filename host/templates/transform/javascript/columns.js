// Columns to arrays of values, and back. It is the same in every transform: leave it as it is.

// Of each kind: how its values are held. Slots of rows without a value hold what means nothing.
const HELD = {
  floats: (values) => Float64Array.from(values, (value) => value ?? 0),
  integers: (values) => BigInt64Array.from(values, (value) => value ?? 0n),
  booleans: (values) => values.map((value) => value ?? false),
  texts: (values) => values.map((value) => value ?? ''),
  categories: (values) => {
    const texts = values.map((value) => value ?? '');
    const dictionary = [...new Set(texts)].sort();
    const codes = new Map(dictionary.map((text, code) => [text, code]));
    return { dictionary, codes: Uint32Array.from(texts, (text) => codes.get(text)) };
  },
  timestamps: (values) => BigInt64Array.from(values, (value) => value ?? 0n),
};

/** The values of a column, one a row: null for a row without one, texts for categories. */
export function values(batch, name, kind) {
  const column = batch.columns.find((column) => column.name === name);
  // What is thrown is a case of the contract's `error`.
  if (!column) throw { tag: 'missing-column', val: name };
  const { tag, val } = column.values;
  if (tag !== kind) throw { tag: 'wrong-kind', val: { column: name, expected: kind, found: tag } };
  // The code of a row without a value means nothing, and may be none of the dictionary's.
  const result =
    kind === 'categories'
      ? Array.from(val.codes, (code) => val.dictionary[code] ?? null)
      : Array.from(val);
  for (const row of column.nulls) result[row] = null;
  return result;
}

/** Adds the column with these values, one a row, or replaces it. Null is a row without a value. */
export function put(batch, name, kind, results) {
  const nulls = [];
  // A forgotten return and an unknown key give undefined: that is no value either.
  results.forEach((value, row) => value == null && nulls.push(row));
  const column = {
    name,
    values: { tag: kind, val: HELD[kind](results) },
    nulls: Uint32Array.from(nulls),
  };
  const place = batch.columns.findIndex((other) => other.name === name);
  if (place < 0) batch.columns.push(column);
  else batch.columns[place] = column;
}
