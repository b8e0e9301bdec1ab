import { Chart } from '../kit/chart.js'

/** A chart with many thin lines of which one is chosen: choosing another draws nothing again. */
export class ChosenChart extends Chart {
  draw(content) {
    super.draw(content)
    this.paths = this.now ? this.svg.selectAll('path.curve').nodes() : []
    this.named = this.now ? this.svg.selectAll('text.label.faint').nodes() : []
    this.pick(this.picked ?? 0)
  }

  /** Choose the i-th line. */
  pick(i) {
    this.picked = i
    const { lines } = this.content
    this.paths.forEach((path, j) => path.setAttribute('class', `curve ${j === i ? 'kept' : lines[j].kind}`))
    this.named.forEach((name) =>
      name.setAttribute('class', `label faint${name.textContent === lines[i].label ? ' chosen' : ''}`),
    )
    this.tell(this.at)
  }
}
