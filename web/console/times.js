/* Times in the reader's own zone and language; the page brings them in UTC. */
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

export function localize(root) {
  for (const time of root.querySelectorAll('time[data-when], time[data-day], time[data-ago]')) {
    const at = new Date(time.dateTime);
    if ('ago' in time.dataset) {
      time.title = full.format(at);
      continue;
    }
    time.title ||= time.textContent;
    time.textContent = ('when' in time.dataset ? full : date).format(at);
  }
  // A moment in a form is told in the reader's zone and sent with it.
  for (const zone of root.querySelectorAll('[data-zone]')) {
    zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}
