// A live part whose server is gone says so, and that the rest of the page goes on; Bokeh tells of it on its document.
{
  const gone = document.getElementById('gone')
  const follow = () => {
    const [page] = window.Bokeh?.documents ?? []
    if (!page) return setTimeout(follow, 100)
    page.on_event('connection_lost', () => (gone.hidden = false))
    page.on_event('client_reconnected', () => (gone.hidden = true))
  }
  if (gone) follow()
}
