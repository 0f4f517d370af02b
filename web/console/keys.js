/* The keyboard: `g r` goes to a screen, `/` searches, `?` lists the keys, Ctrl+Enter sends the form one is in. */
const PAUSE = 1200;
let going = 0;

export function watchKeys() {
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable]');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && typing?.form) {
      event.preventDefault();
      typing.form.requestSubmit(typing.form.querySelector('button.primary') ?? undefined);
      return;
    }
    if (event.key === 'Escape') document.querySelector('details.menu[open]')?.removeAttribute('open');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (Date.now() - going < PAUSE) {
      going = 0;
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) location.href = link.href;
    } else if (event.key === 'g') {
      going = Date.now();
    } else if (event.key === '/') {
      const search = document.querySelector('main input[type=search]');
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === '?') {
      help();
    }
  });
  document.querySelector('[data-help]')?.addEventListener('click', help);
}

function help() {
  document.getElementById('keys')?.showModal();
}
