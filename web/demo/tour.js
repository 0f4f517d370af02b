/* A guided tour in the visitor's own hands: what to try, where it is, and what happened. It goes along from page to page. */
import { $, ask, make } from './basics.js';

const KEY = 'demo_tour';
const STEPS = [
  ['It begins by not knowing you', '#consent:not([hidden]) > div, .pledge', 'Nothing was kept or sent so far. Decide in the banner: with \u201cAccept all\u201d you will see the most, with \u201cNo\u201d the shop still works.'],
  ['Look at three things of one kind', '.aisles', 'Choose an aisle and open three products. Each click is one taste more, never a line in a history.'],
  ['Go back to the front page', '.wordmark', 'Its first shelf is yours now: the very next request knows what you looked at.'],
  ['Ask why', '.lens-open', 'Behind this page tells who you are to the shop, why each shelf looks as it does, and every event your browser sent.'],
  ['Search, and misspell it', '.find', 'Type \u201cboosts\u201d. What matches comes as you type, yours first. The words become a taste and are gone.'],
  ['Be somebody else', '#persona', 'Browse as one of the generated visitors, or have it delivered to another country: the same shop, another order.'],
  ['Be forgotten', '[data-right=forget]', 'Behind this page, press \u201cForget me\u201d: every store forgets you within a second, and a signed receipt says so.'],
  ['See it from the other side', '.other-side', 'Marketers pin, boost and test in the console; privacy officers see what is held and how long. The password stands where you started the demo.'],
];
const card = $('tour');
const stored = () => {
  try {
    return sessionStorage.getItem(KEY);
  } catch (error) {
    return null;
  }
};
const store = (step) => {
  try {
    step === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, step);
  } catch (error) {
    /* without storage the tour ends with the page */
  }
};
let at = 0;
const mark = (selector) => {
  document.querySelectorAll('.tour-here').forEach((el) => el.classList.remove('tour-here'));
  // of several the last in the page: what lies on top
  const el = selector && [...document.querySelectorAll(selector)].pop();
  if (el) el.classList.add('tour-here');
};
const show = (step, moved) => {
  at = Math.max(0, Math.min(step, STEPS.length - 1));
  store(at);
  const [title, selector, text] = STEPS[at];
  $('tour-step').textContent = `${at + 1} of ${STEPS.length}`;
  $('tour-title').textContent = title;
  $('tour-text').textContent = text;
  card.querySelector('[data-tour=back]').disabled = at == 0;
  card.querySelector('[data-tour=next]').textContent = at == STEPS.length - 1 ? 'Done' : 'Next';
  card.hidden = false;
  if (at == 6 && $('lens').hidden) document.querySelector('.lens-open').click();
  mark(selector);
  if (moved) $('tour-title').focus();
};
const end = () => {
  card.hidden = true;
  store(null);
  mark();
};
document.addEventListener('click', (e) => {
  const button = e.target.closest('[data-tour]');
  if (!button) return;
  const what = button.dataset.tour;
  if (what == 'start') show(0, true);
  else if (what == 'end' || (what == 'next' && at == STEPS.length - 1)) end();
  else show(at + (what == 'next' ? 1 : -1), true);
});
document.addEventListener('keydown', (e) => e.key == 'Escape' && !card.hidden && card.contains(document.activeElement) && end());
document.addEventListener('pz:consent', () => !card.hidden && at == 0 && ask('visitor').consent != 'pending' && show(1));
const kept = stored();
if (kept !== null) show(+kept);
