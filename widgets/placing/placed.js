import { fill } from '../kit/text.js'

/** The recorded sets of one task as Python ships them (__init__.py), and the places that are ticked. */
export class Places {
  constructor(arrays, words) {
    Object.assign(this, arrays, { words, names: Object.keys(arrays.shapes) })
    this.recorded = Object.fromEntries(this.sets.map((set) => [set.code, set]))
  }

  choose(code) {
    this.code = code
  }

  has(name, block, code = this.code) {
    return !!((Number(code[this.names.indexOf(name)]) >> block) & 1)
  }

  /** The code with some places ticked or not. */
  changed(names, blocks, on) {
    const bits = blocks.reduce((sum, block) => sum | (1 << block), 0)
    const digit = (name, i) => {
      const before = Number(this.code[i])
      return names.includes(name) ? (on ? before | bits : before & ~bits) : before
    }
    return this.names.map(digit).join('')
  }

  /** [name, block] of each place. */
  cells(code) {
    const blocks = [0, 1, 2]
    return this.names.flatMap((name) =>
      blocks.filter((block) => this.has(name, block, code)).map((b) => [name, b]),
    )
  }

  /** Numbers in an adapter of rank r on one matrix. */
  each(name, r) {
    const [out, into] = this.shapes[name]
    return r * (out + into)
  }

  numbers(code, r) {
    return this.cells(code).reduce((sum, [name]) => sum + this.each(name, r), 0)
  }

  /** The rank whose adapters come closest to the budget; of two the larger. */
  rank(code) {
    const one = this.numbers(code, 1)
    return one ? Math.min(Math.max(1, Math.floor((2 * this.budget + one) / (2 * one))), this.most) : 0
  }

  /** {names, blocks} of a set with the same matrices in each of its blocks, else null. */
  config(code) {
    const names = this.names.filter((_, i) => code[i] !== '0')
    const digits = new Set([...code].filter((digit) => digit !== '0'))
    return digits.size === 1 ? { names, digit: [...digits][0] } : null
  }

  where(code) {
    const { where, some, and, groups, blocks } = this.words
    const config = this.config(code)
    if (!config) return fill(some, { count: this.cells(code).length, all: 3 * this.names.length })
    const { names, digit } = config
    const mask = this.names.map((name) => (names.includes(name) ? 1 : 0)).join('')
    const head = names.slice(0, -1).join(', ')
    return fill(where, { names: groups[mask] ?? (head && head + and) + names.at(-1), blocks: blocks[digit] })
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values(code = this.code) {
    const { common, budget } = this
    const r = this.rank(code)
    if (!r) return common
    const numbers = this.numbers(code, r)
    const off = numbers === budget ? 'exact' : numbers > budget ? 'more' : 'less'
    return {
      ...common,
      where: this.where(code),
      r,
      numbers,
      off: fill(this.words.off[off], { percent: Math.abs(numbers / budget - 1) }),
      ...this.recorded[code]?.measured,
    }
  }

  /** What the live lab is to be asked for, at all six's rate where none is recorded; null where it has no such set. */
  settings() {
    const config = this.config(this.code)
    if (!config) return null
    const r = this.rank(this.code)
    const { measured } = this.recorded[this.code] ?? this.recorded[this.all]
    return {
      ...this.lab,
      r,
      alpha: 2 * r,
      learning_rate: measured.rate,
      target_modules: config.names,
      layers: [0, 1, 2].filter((block) => (config.digit >> block) & 1),
    }
  }

  /** target_modules and the lines about blocks as PEFT's config has them. */
  peft() {
    const config = this.config(this.code)
    const folder = (name) => (name.endsWith('up_proj') || name.endsWith('down_proj') ? 'mlp' : 'attention')
    if (!config) {
      const path = ([name, block]) => `\n        "blocks.${block}.${folder(name)}.${name}",`
      return { modules: `[${this.cells(this.code).map(path).join('')}\n    ]`, blocks: '' }
    }
    const { names, digit } = config
    const layers = `[${[0, 1, 2].filter((block) => (digit >> block) & 1).join(', ')}]`
    return {
      modules: `[${names.map((name) => `"${name}"`).join(', ')}]`,
      blocks: digit === '7' ? '' : fill(this.someBlocks, { layers }),
    }
  }
}

/** The address of the live lab with these settings, from a page of the site; null elsewhere. */
export function labAddress(link, settings) {
  const here = link ? new URL(link) : null
  const root = here?.pathname.match(/^(.*)\/(?:lesson|embed\/[\w-]+)\/[^/]*$/)?.[1]
  if (root === undefined || !settings) return null
  const lab = new URL(`${root}/lesson/lab.html`, here)
  for (const [name, value] of Object.entries(settings)) lab.searchParams.set(`train.${name}`, value)
  return lab.href
}
