import { Chart } from '../kit/chart.js'
import { divergingScale, onColours } from '../kit/colour.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Heatmap } from '../kit/heatmap.js'
import { Histogram } from './histogram.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { FewBits } from './quantise.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { peak } from '../kit/arrays.js'
import { fill, format as formatted, short } from '../kit/text.js'

const CELLS = ['weights', 'copy', 'lost'] // pictures with a cell for each weight
const EVERY_MS = 900 // while it plays
const ROOM = 1.1 // above the highest bar

/** A matrix in few bits: its levels, how full they are, its copy, what is lost, and the error of each block. */
class Bits extends Instrument {
  constructor(model, el) {
    super(model, el)
    this.awaits('matrix')
    for (const name of ['format', 'other']) model.on(`change:${name}`, () => this.tick(this.block))
    this.stop = onColours(() => this.colour())
    this.load()
  }

  get block() {
    return this.stepper.value
  }

  build({ block }) {
    const { text, frame } = this
    const { blocks } = read(this.model, 'arrays')
    this.at = null
    this.controls = this.choosers('matrix', 'format', 'other')
    this.stepper = this.slider('block', text.blockLabel, {
      everyMs: EVERY_MS,
      told: (i) => fill(i < blocks.length - 1 ? text.block : text.blockWhole, { block: blocks[i] }),
    })
    const [low, high] = block.bounds
    this.stepper.set({ low, high, value: this.model.get('block'), start: block.default })
    this.note = h('p', { class: 'note' })
    this.readouts = new Readouts(text)
    this.histogram = new Histogram(text.histogram)
    this.usage = new Chart(text.usage, {
      format: formatted('.0%'),
      choose: () => {},
      probe: (i) => (this.few ? this.ofLevel(i) : ''),
    })
    const make = (name) => [name, new Heatmap(name, (y, x) => this.point(name, y, x))]
    this.maps = Object.fromEntries([...CELLS, 'blocks'].map(make))
    this.said = h('p', { class: 'cell', role: 'status' })
    const pictures = Object.values(this.maps).map(({ element }) => element)
    frame.root.append(
      ...frame.part('choices', abreast(this.controls)),
      this.note,
      this.stepper.element,
      h('div', { class: 'charts' }, this.histogram.element, ...frame.part('usage', this.usage.element)),
      ...frame.part('maps', h('div', { class: 'maps' }, ...pictures), this.said),
      ...frame.part('readouts', this.readouts.element),
      frame.sentence,
    )
  }

  load() {
    const few = (this.few = new FewBits(read(this.model, 'arrays')))
    this.controls.matrix.input.value = this.model.get('matrix')
    this.note.textContent = few.note
    this.top = peak(few.weights)
    for (const name of CELLS) this.maps[name].resize(...few.shape)
    this.colour()
  }

  colour() {
    this.scale = divergingScale(this.frame.root)
    this.maps.weights.paint(this.few.weights, this.top, this.scale)
    this.tick(this.block)
  }

  /** The chosen format at the present block size. */
  get chosen() {
    return this.few.in(this.model.get('format'), this.block)
  }

  values() {
    const { few, model, block } = this
    const other = few.numbers(model.get('other'), block)
    return {
      ...few.numbers(model.get('format'), block),
      label: few.label,
      block: few.blocks[block],
      other: other.format,
      other_error: other.error,
    }
  }

  /** Follow the block size: histogram, levels, copy, loss, errors, sentence. */
  tick(i) {
    const { few, model, controls, text, chosen, maps, top, scale } = this
    for (const name of ['format', 'other']) controls[name].input.value = model.get(name)
    this.stepper.show(i)
    const values = this.values()
    const levels = ['format', 'other'].map((name) => few.kinds[model.get(name)].levels)
    this.histogram.draw({ values: few.normal(i).values, levels, said: fill(text.histogram.said, values) })
    this.drawUsage()
    maps.copy.paint(chosen.copy, top, scale)
    maps.lost.paint(chosen.lost, top, scale)
    const worst = Math.max(...chosen.errors)
    maps.blocks.resize(...few.laidOut(i), 1, 1)
    maps.blocks.paint(chosen.errors, worst, scale)
    for (const [name, map] of Object.entries(maps))
      map.title.textContent = fill(text.maps[name], { ...values, worst })
    this.readouts.show(values)
    this.say()
    this.frame.update()
  }

  drawUsage() {
    const { shares, levels } = this.chosen
    const even = 1 / levels.length
    this.usage.draw({
      k: levels.length,
      y: [0, Math.max(...shares) * ROOM],
      bars: shares,
      rules: [{ at: { y: even }, label: this.text.usage.even, kind: 'control-1' }],
    })
    this.usage.move(levels.length)
  }

  /** What the chart of the levels says of the i-th. */
  ofLevel(i) {
    const { shares, levels } = this.chosen
    const number = Math.max(1, Math.min(i, levels.length))
    const level = levels[number - 1]
    return fill(this.text.usage.probe, { number, level, share: shares[number - 1] })
  }

  sentence() {
    return fill(this.text.sentence, this.values())
  }

  /** The cursor stands on a cell or a block: mark it in the other pictures as well. */
  point(name, y, x) {
    this.at = y === null ? null : { blocks: name === 'blocks', y, x }
    for (const [each, map] of Object.entries(this.maps)) {
      const same = (each === 'blocks') === (name === 'blocks')
      map.mark(same ? y : null, same ? x : null)
    }
    this.say()
  }

  say() {
    const { text, at, few, chosen, block } = this
    if (!at) {
      this.said.textContent = text.noCell
      return
    }
    if (at.blocks) {
      const i = at.y * few.laidOut(block)[1] + at.x
      if (i >= chosen.errors.length) return
      this.said.textContent = fill(text.cells.blocks, {
        number: i + 1,
        absmax: short(chosen.absmax[i]),
        block_error: chosen.errors[i],
      })
      return
    }
    const i = at.y * few.shape[1] + at.x
    this.said.textContent = fill(text.cells.weights, {
      row: at.y,
      column: at.x,
      weight: short(few.weights[i]),
      stored: short(chosen.copy[i]),
      level: short(chosen.levels[chosen.codes[i]]),
      absmax: short(chosen.absmax[Math.floor(i / few.blocks[block])]),
    })
  }

  snippet() {
    const { few, model, block } = this
    return fill(few.snippet, {
      matrix: few.key,
      block_size: few.blocks[block],
      format_key: model.get('format'),
      other_key: model.get('other'),
    })
  }

  table() {
    return this.tableOf(Object.keys(this.few.kinds).map((name) => this.few.numbers(name, this.block)))
  }

  get stem() {
    return `${this.few.key}-${this.model.get('format')}-${this.few.blocks[this.block]}`
  }

  saves() {
    const { absmax, errors, levels, shares } = this.chosen
    return {
      blocks: () => [
        'blocks.csv',
        csv([
          ['block', 'scale', 'relative_error'],
          ...[...errors].map((error, b) => [b + 1, absmax[b], error]),
        ]),
      ],
      levels: () => [
        'levels.csv',
        csv([['level', 'share'], ...levels.map((level, c) => [level, shares[c]])]),
      ],
    }
  }

  asPicture() {
    const heatmaps = Object.values(this.maps).map(({ title, canvas }) => ({
      title: title.textContent,
      canvas,
    }))
    return super.asPicture([this.histogram, this.usage], heatmaps)
  }
}

export default rendering(Bits)
