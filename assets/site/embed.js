// <script src="https://your-site.example/embed.js" data-figure="rank/rank" data-query="task=blur&r=4"></script>
// puts the figure into the page where the script stands, in a frame whose height follows its content, and whose colours
// follow the page: its data-theme or its color-scheme, if they say dark or light.
{
  const script = document.currentScript
  const frame = document.createElement('iframe')
  frame.src = new URL(`embed/${script.dataset.figure}.html?${script.dataset.query ?? ''}`, script.src)
  frame.title = script.dataset.title ?? script.dataset.figure
  frame.loading = 'lazy'
  frame.style.cssText = 'width:100%;border:0;height:50px'
  script.after(frame)
  const root = document.documentElement
  const theme = () =>
    [root.dataset.theme, getComputedStyle(root).colorScheme].find((said) => /^(dark|light)$/.test(said))
  const tell = () => frame.contentWindow.postMessage({ loraTheme: theme() ?? '' }, frame.src)
  frame.addEventListener('load', tell)
  new MutationObserver(tell).observe(root, { attributes: true })
  addEventListener('message', ({ source, data }) => {
    if (source === frame.contentWindow && Number.isFinite(data?.loraHeight))
      frame.style.height = `${data.loraHeight}px`
  })
}
