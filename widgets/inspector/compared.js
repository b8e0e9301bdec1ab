// Two adapters beside each other: how alike the changes of each layer are, and the directions in which they lie.

import { commonName } from './keys.js'
import { changeOf } from './layers.js'
import { USED, dot, factorized } from './linear.js'
import { pause } from './pause.js'

/** The first directions on one side, as columns: Q times those of the small matrix. */
export function directions(factor, small, used) {
  return small.slice(0, used).map((weights) => {
    if (!factor) return weights
    const column = new Float64Array(factor.n)
    factor.columns.forEach((q, j) => {
      const by = weights[j]
      for (let i = 0; i < column.length; i++) column[i] += by * q[i]
    })
    return column
  })
}

/** The sum of squared cosines of the angles between two spaces, and of products weighted with singular values. */
function overlap(one, other) {
  return one.map((x) => Float64Array.from(other, (y) => dot(x, y)))
}

async function sides(layer) {
  const { B, A } = await changeOf(layer)
  if (!B) return null
  const { s, Q_B, Q_A, U, V } = await factorized(B, A)
  if (!s?.[0]) return null
  const used = s.filter((value) => value > USED * s[0]).length
  return { s, left: directions(Q_B, U, used), right: directions(Q_A, V, used) }
}

/**
 * What two adapters have in common: {rows, only: [names that one has, names that the other has]}. A row is {name, cosine,
 * left, right, chance_left, chance_right, sum}: overlap is the mean squared cosine of the principal angles, `sum` the norm
 * of the sum over the sum of norms. `told(done, all)` hears of each layer.
 */
export async function compared(one, other, told = () => {}) {
  const named = new Map(other.layers.map((layer) => [commonName(layer.name), layer]))
  const partner = ({ name }) => named.get(commonName(name))
  const both = one.layers.filter((layer) => partner(layer)?.shape.join() === layer.shape.join())
  const shared = new Set(both.map(({ name }) => commonName(name)))
  const rows = []
  for (const [i, layer] of both.entries()) {
    const [x, y] = [await sides(layer), await sides(partner(layer))]
    if (x && y) rows.push({ name: layer.name, ...row(x, y, layer, partner(layer)) })
    told(i + 1, both.length)
    await pause()
  }
  const without = ({ layers }) =>
    layers.map(({ name }) => name).filter((name) => !shared.has(commonName(name)))
  return { rows, only: [without(one), without(other)] }
}

function row(x, y, { shape: [out, into], scale }, { scale: by }) {
  const [left, right] = [overlap(x.left, y.left), overlap(x.right, y.right)]
  let inner = 0
  left.forEach((cosines, i) =>
    cosines.forEach((cosine, j) => (inner += x.s[i] * y.s[j] * cosine * right[i][j])),
  )
  const long = (s) => Math.sqrt(s.reduce((sum, value) => sum + value * value, 0))
  const [norm, size] = [long(x.s), long(y.s)]
  const cosine = (Math.sign(scale * by) * inner) / (norm * size)
  const fewer = Math.min(x.left.length, y.left.length)
  const more = Math.max(x.left.length, y.left.length)
  const mean = (table) =>
    table.reduce((sum, line) => sum + line.reduce((all, each) => all + each * each, 0), 0) / fewer
  const [a, b] = [norm * Math.abs(scale), size * Math.abs(by)]
  return {
    cosine,
    left: mean(left),
    right: mean(right),
    chance_left: Math.min(1, more / out),
    chance_right: Math.min(1, more / into),
    sum: Math.sqrt(Math.max(0, a * a + b * b + 2 * a * b * cosine)) / (a + b),
  }
}
