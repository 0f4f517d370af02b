/* The console's script: pages work without it. It localizes times, knows the keyboard, and keeps forms safe. */
import htmx from 'htmx.org/dist/htmx.esm.js';

import { watchForms } from './forms.js';
import { watchKeys } from './keys.js';
import { watchOrder } from './order.js';
import { localize } from './times.js';

// Nothing from the page is run as a program, nothing is asked of another host, no page is kept in the browser's storage.
Object.assign(htmx.config, {
  allowEval: false, allowScriptTags: false, includeIndicatorStyles: false, selfRequestsOnly: true, historyCacheSize: 0, refreshOnHistoryMiss: true,
});

/** What is new on the page, at its start and after each swap. */
function dress(root) {
  localize(root);
}

dress(document);
watchKeys();
watchForms();
watchOrder();
document.addEventListener('htmx:afterSwap', (event) => dress(event.target));

// What a fragment could not bring is said; the page and what was typed stay as they are.
document.addEventListener('htmx:responseError', (event) => {
  const status = event.detail.xhr.status;
  say(status === 401 ? 'You are signed out. Sign in in another tab, then go on here.' : `The server said no (${status}).`, status === 401);
});
document.addEventListener('htmx:sendError', () => say('The server cannot be reached.'));

let hiding;
function say(text, signIn = false) {
  const toast = document.getElementById('toast');
  if (!toast) return;
  toast.textContent = text;
  if (signIn) {
    const link = Object.assign(document.createElement('a'), { href: '/console/sign-in', target: '_blank', rel: 'noopener', textContent: 'Sign in' });
    toast.append(' ', link);
  }
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (toast.hidden = true), 8000);
}

// The theme at once, and kept by the form's own request.
document.querySelector('.themes')?.addEventListener('click', (event) => {
  const button = event.target.closest('button[name=theme]');
  if (!button) return;
  event.preventDefault();
  document.documentElement.dataset.theme = button.value;
  for (const other of button.form.querySelectorAll('button')) other.setAttribute('aria-pressed', String(other === button));
  const body = new URLSearchParams(new FormData(button.form));
  body.set('theme', button.value);
  body.delete('once');
  fetch(button.form.action, { method: 'POST', body, redirect: 'manual' }).catch(() => {});
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(source);
  }
});
