import { Chart } from '../kit/chart.js'
import { abreast } from '../kit/controls.js'
import { h } from '../kit/dom.js'
import { read } from '../kit/frame.js'
import { Instrument, rendering } from '../kit/instrument.js'
import { Readouts } from '../kit/readouts.js'
import { csv } from '../kit/share.js'
import { fill, format, written } from '../kit/text.js'

const EVERY_MS = 900 // while it plays
const LOSSES = [0.03, 0.1, 0.3, 1, 3] // on the axis
const [BOTTOM, TOP] = [0.02, 5]

/** How deep a cell's teal is, on the scale of the chart: 0 for what the base has, 1 at the bottom. */
const shade = (loss, before) => {
  const depth = Math.log(before / Math.max(loss, BOTTOM)) / Math.log(before / BOTTOM)
  return Math.max(0, depth)
}

/** What the learning rate can make of each scaling, and what two rates can. */
class Grid extends Instrument {
  constructor(model, el) {
    super(model, el)
    model.on('change:runs', () => this.draw())
    this.draw()
  }

  build({ scaling }) {
    const { text, frame } = this
    this.arrays = read(this.model, 'arrays')
    const { scalings, note } = this.arrays
    this.controls = this.choosers('runs')
    this.stepper = this.slider('scaling', text.scalingLabel, {
      everyMs: EVERY_MS,
      told: (i) => written(scalings[i]),
    })
    const [low, high] = scaling.bounds
    this.stepper.set({ low, high, value: this.model.get('scaling'), start: scaling.default })
    const { free, two } = text.charts
    this.charts = {
      free: new Chart(free, {
        format: format('~g'),
        choose: (i) => this.stepper.go(i),
        probe: (i) => fill(free.probe, this.grid.best[i]),
      }),
      two: new Chart(
        { ...two, title: fill(two.title, this.arrays) },
        {
          format: format('~g'),
          choose: () => {},
          probe: (i) => fill(two.probe, this.arrays.two[this.grid.r][i]),
        },
      ),
    }
    this.heat = h('table', { class: 'heat' })
    const cells = h(
      'div',
      { class: 'scrolled pairs', tabindex: 0, role: 'region', 'aria-label': text.scalingLabel },
      this.heat,
    )
    this.readouts = new Readouts(text)
    frame.root.append(
      h('p', { class: 'note' }, note),
      abreast(this.controls),
      this.stepper.element,
      h(
        'div',
        { class: 'crossed' },
        ...frame.part('cells', cells),
        ...frame.part(
          'charts',
          h('div', { class: 'charts' }, this.charts.free.element, this.charts.two.element),
        ),
      ),
      frame.sentence,
      ...frame.part('readouts', this.readouts.element),
    )
  }

  get grid() {
    return this.arrays.grids[this.model.get('runs')]
  }

  /** Every number that the sentence may use; __init__.py makes the same. */
  values() {
    const { grid, arrays } = this
    const { optimizer, r, plain, rooted } = grid
    const best = grid.best.reduce((found, row) => (row.loss < found.loss ? row : found))
    return {
      ...{ optimizer, r, plain, rooted },
      ...grid.best[this.stepper.value],
      best_scaling: best.scaling,
      best_loss: best.loss,
      best_rate: best.rate,
      alpha: arrays.alpha,
      ...arrays.full[grid.name],
    }
  }

  sentence() {
    const values = this.values()
    const verdict = values.scaling === values.best_scaling ? 'best' : 'other'
    return fill(this.text.sentences[verdict], values)
  }

  /** Draw what no tick of the scaling changes: the cells, and the loss where the rate is free. */
  draw() {
    const { grid, arrays, text, controls } = this
    controls.runs.input.value = this.model.get('runs')
    const { heat, charts } = text
    const lowest = grid.losses.map((losses) => Math.min(...losses.filter((loss) => loss !== null)))
    const cell = (row, i) => {
      const [loss, right] = [grid.losses[row][i], grid.shares[row][i]]
      const share = loss === null ? 0 : shade(loss, arrays.before)
      const told =
        loss === null
          ? [heat.diverged]
          : [fill(heat.loss, { loss }), h('span', {}, fill(heat.right, { right }))]
      const made = h('td', { class: loss === lowest[row] ? 'right best' : 'right' }, ...told)
      made.style.setProperty('--share', share.toFixed(3)) // a page's policy takes no style written as an attribute
      return made
    }
    this.lines = arrays.scalings.map((scaling, row) =>
      h('tr', {}, h('th', { scope: 'row' }, written(scaling)), ...grid.rates.map((_, i) => cell(row, i))),
    )
    const head = [heat.corner, ...grid.rates.map(written)].map((words) => h('th', { scope: 'col' }, words))
    this.heat.replaceChildren(
      h('caption', {}, fill(heat.title, grid)),
      h('thead', {}, h('tr', {}, ...head)),
      h('tbody', {}, ...this.lines),
    )
    const others = Object.values(arrays.grids).filter(({ name, r }) => name === grid.name && r !== grid.r)
    this.drawFree(charts.free, others)
    this.drawTwo(charts.two, others)
    this.tick(this.stepper.value)
  }

  /** A band over the seeds with its line, the other ranks beside it thin. */
  over(best, others, label) {
    const of = (name, rows = best) => rows.map((row) => row[name])
    return {
      y: [BOTTOM, TOP],
      ticks: LOSSES,
      bands: [{ low: of('low'), middle: of('loss'), high: of('high'), kind: 'spread' }],
      lines: [
        ...others.map((rows) => ({ values: of('loss', rows), label: '', kind: 'kept thin', dot: 0 })),
        { values: of('loss'), label, kind: 'kept', along: 0.5 },
      ],
    }
  }

  drawFree(words, others) {
    const { grid, arrays } = this
    // Scalings stand at equal distances, as their logarithms do.
    const [first, second] = arrays.scalings.map(Number)
    const place = (scaling) => Math.log(scaling / first) / Math.log(second / first)
    const rule = (name, low) => ({
      at: { x: place(Number(grid[name])) },
      label: words[name],
      kind: 'card',
      low,
    })
    const best = others.map((other) => other.best)
    this.charts.free.draw({
      ...this.over(grid.best, best, fill(words.curve, grid)),
      k: arrays.scalings.length - 1,
      tick: (i) => written(arrays.scalings[i]),
      rules: [
        { at: { y: arrays.full[grid.name].full_loss }, label: words.full, kind: 'control-1' },
        { at: { y: arrays.frequencies }, label: words.frequencies, kind: 'control-0' },
        rule('plain', false),
        rule('rooted', true),
      ],
    })
  }

  drawTwo(words, others) {
    const { grid, arrays } = this
    const two = others.map(({ r }) => arrays.two[r])
    this.charts.two.draw({
      ...this.over(arrays.two[grid.r], two, fill(words.curve, grid)),
      k: arrays.ratios.length - 1,
      tick: (i) => written(arrays.ratios[i]),
    })
    this.charts.two.move(arrays.ratios.indexOf('1'))
  }

  /** Follow the scaling: its row, its place in the chart, the read-outs, the sentence. */
  tick(place) {
    this.stepper.show(place)
    this.lines.forEach((line, i) =>
      i === place ? line.setAttribute('aria-current', 'true') : line.removeAttribute('aria-current'),
    )
    this.charts.free.move(place)
    this.readouts.show(this.values())
    this.frame.update()
  }

  snippet() {
    const { name } = this.grid
    return fill(this.arrays.snippet, { ...this.values(), name })
  }

  table() {
    return this.tableOf(this.grid.best)
  }

  get stem() {
    return 'grid'
  }

  saves() {
    return { cells: () => ['cells.csv', this.asCsv()], two: () => ['two-rates.csv', this.twoAsCsv()] }
  }

  twoAsCsv() {
    const head = ['r', 'ratio', 'rate_of_lora_A', 'loss', 'lowest', 'highest', 'right']
    const lines = Object.entries(this.arrays.two).flatMap(([r, rows]) =>
      rows.map(({ ratio, rate, loss, low, high, right }) => [r, ratio, rate, loss, low, high, right]),
    )
    return csv([head, ...lines])
  }

  asCsv() {
    const { grids, scalings } = this.arrays
    const lines = Object.values(grids).flatMap(({ name, r, rates, losses, shares }) =>
      scalings.flatMap((scaling, row) =>
        rates.map((rate, i) => [name, r, scaling, rate, losses[row][i] ?? '', shares[row][i] ?? '']),
      ),
    )
    return csv([['optimizer', 'r', 'scaling', 'learning_rate', 'loss', 'right'], ...lines])
  }
}

export default rendering(Grid)
