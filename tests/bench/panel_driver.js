// How the Panel page is driven and watched. Its slider hands a move to the server by setting the model's value, so that
// is what a move does here. The answer is painted when each of the four heatmaps that change has drawn its new image.
globalThis.drivePanel = () => {
  const CHANGING = 4
  const models = [...Bokeh.documents[0].all_models]
  const slider = models.find(({ type }) => type === 'Slider')
  const now = models.find(({ type }) => type === 'Span')
  const drawn = new Set()
  let waiting = null
  const draw = CanvasRenderingContext2D.prototype.drawImage
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    draw.apply(this, given)
    if (!waiting || now.location !== waiting.value) return // not drawn from the answer
    drawn.add(this.canvas)
    if (drawn.size < CHANGING) return
    waiting.resolve()
    waiting = null
  }
  globalThis.benchDriver = {
    move(value) { slider.value = value },
    shown: (value) => new Promise((resolve) => {
      drawn.clear()
      waiting = { value, resolve }
    }),
  }
}
