// The logic: one row at a time, without state. Replace it with your own.

/**
 * The ratio of two values. A row without one of them has none, and neither has a row whose ratio
 * is no finite number (a divisor of zero, for one): a missing value is honest, infinity is not.
 */
export function ratio(length, depth) {
  if (length === null || depth === null) return null;
  const value = length / depth;
  return Number.isFinite(value) ? value : null;
}
