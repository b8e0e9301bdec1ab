/**
 * Where along a line its name stands: where the others are furthest away, `margin` points off the ends;
 * [place, distance].
 */
export function clearest(
  { at, values },
  others,
  margin = at.length > 2 ? Math.max(1, Math.floor(at.length / 6)) : 0,
) {
  let [best, widest] = [0, -1]
  for (let i = margin; i < at.length - margin; i++) {
    const near = others.map((other) =>
      Math.abs((other.values[other.at.indexOf(at[i])] ?? Infinity) - values[i]),
    )
    const away = Math.min(...near)
    if (away > widest) [best, widest] = [i, away]
  }
  return [best / at.length, widest]
}
