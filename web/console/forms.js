/* Forms: a second click sends nothing, what was typed is not left behind unasked, parts follow a choice. */
export function watchForms() {
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.method !== 'post' || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = 'yes';
    changed.delete(form);
    // A download leaves the page as it is; so does the back button.
    setTimeout(() => delete form.dataset.sent, 3000);
  });
  addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach((form) => delete form.dataset.sent));

  const changed = new Set();
  document.addEventListener('input', (event) => {
    const form = event.target.closest('form[data-guard]');
    if (form) changed.add(form);
  });
  addEventListener('beforeunload', (event) => {
    if ([...changed].some((form) => form.isConnected)) event.preventDefault();
  });

  // <fieldset data-for="kind" data-is="pin boost">: shown while the field of that name has one of these values.
  const follow = (form) => {
    for (const part of form.querySelectorAll('[data-for]')) {
      const field = form.elements[part.dataset.for];
      const shown = part.dataset.is.split(' ').includes(field.value);
      part.hidden = !shown;
      if ('disabled' in part) part.disabled = !shown;
    }
  };
  document.addEventListener('change', (event) => {
    if (event.target.form) follow(event.target.form);
    // A choice among filters is applied at once.
    if (event.target.matches('form.filters select') && !event.target.closest('[hx-get]')) event.target.form.requestSubmit();
  });
  document.querySelectorAll('form').forEach(follow);
}
