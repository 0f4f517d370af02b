/* The demo shop's own script: keeps the visitor's decision, lets one browse as somebody else, and shows what is behind the page.
 *
 * It runs before the beacon and talks to it only through pz(…), as any shop would. The one place where it looks inside is
 * "browse as", which puts a generated shopper's random id where the beacon keeps its own.
 */
import { $, ask, cookie, find, fill, make, remember } from './basics.js';
import './hits.js';
import './tour.js';

const root = document.documentElement;

// ---- the decision: state and purposes, in a cookie that only this shop's pages read (never the personalization server)
const VERSION = 'demo-1';
const decision = () => {
  const [state, purposes] = cookie('demo_consent').split('/');
  return state ? { state, purposes: purposes ? purposes.split('+') : [] } : undefined;
};
const tell = ({ state, purposes }) => ask('consent', state, { purposes, version: VERSION });
const named = (who) => who && (who.anon || who.session) && { anon: who.anon, session: who.session, user: who.user, user_sig: who.user_sig };
let receipt; // the server's signed word on the last decision
/** The decision, told to the server on its own as well: per purpose, with a receipt. Of whom nothing is known nothing is told. */
const record = async (who, state, purposes) => {
  if (!named(who)) return;
  try {
    const answer = await fetch('/v1/consent', {
      method: 'POST',
      credentials: 'omit',
      body: JSON.stringify({
        key: document.querySelector('script[data-key]').dataset.key,
        visitor: named(who), state, version: VERSION, region: region.value, source: 'banner', language: root.lang,
        purposes: Object.fromEntries(state == 'granted' ? boxes.map((box) => [box.value, purposes.includes(box.value)]) : []),
      }),
    });
    if (answer.ok) receipt = (await answer.json()).receipt;
  } catch (error) {
    /* the beacon has told it too */
  }
  describe();
};

const banner = $('consent');
const boxes = [...banner.querySelectorAll('input')];
const decide = (state, purposes, forgotten) => {
  // a decision for this visit ends with the browser session
  if (state == 'session') document.cookie = 'demo_consent=session/; path=/demo; samesite=lax';
  else remember('demo_consent', state + '/' + purposes.join('+'), 180);
  root.toggleAttribute('data-personal', state == 'granted' || state == 'session');
  banner.hidden = true;
  const before = ask('visitor');
  tell({ state, purposes });
  if (!forgotten) record(state == 'denied' ? before : ask('visitor'), state, purposes);
  describe();
};
banner.addEventListener('click', (e) => {
  const choice = e.target.dataset.consent;
  const named = boxes.filter((box) => box.checked).map((box) => box.value);
  if (choice == 'all') decide('granted', boxes.map((box) => box.value));
  else if (choice == 'session' || choice == 'denied') decide(choice, []);
  else if (choice == 'choose' && $('consent-purposes').hidden) {
    $('consent-purposes').hidden = false;
    e.target.setAttribute('aria-expanded', 'true');
    e.target.textContent = 'Save my choice';
    boxes[0].focus();
  } else if (choice == 'choose') decide('granted', named);
});
const openBanner = () => {
  const current = decision();
  boxes.forEach((box) => (box.checked = !!current && current.purposes.includes(box.value)));
  banner.hidden = false;
};

const made = decision();
if (made) tell(made);
else if (navigator.globalPrivacyControl) root.dataset.gpc = '';
else openBanner();
const region = $('region');
ask('set', { region: region.value });

// ---- small conveniences
document.addEventListener('change', (e) => {
  const form = e.target.closest('[data-autosubmit]');
  if (form) form.submit();
  if (e.target.matches('[data-quantity]')) e.target.closest('[data-pz-item]').dataset.pzQuantity = e.target.value;
});
document.addEventListener('click', (e) => {
  const opener = e.target.closest('[data-open],[data-close]');
  if (!opener) return;
  const { open, close } = opener.dataset;
  if (open == 'consent') {
    openBanner();
    banner.querySelector('button').focus();
  } else lens(open ? $('lens').hidden : false);
});
document.addEventListener('keydown', (e) => e.key == 'Escape' && lens(false));
const lens = (open) => {
  if ($('lens').hidden == !open) return;
  $('lens').hidden = !open;
  document.querySelector('.lens-open').setAttribute('aria-expanded', open);
  remember('demo_lens', open ? 1 : '', open ? 1 : 0);
  if (open) describe();
};
let toasting;
const toast = (text) => {
  $('toast').textContent = text;
  $('toast').classList.add('on');
  clearTimeout(toasting);
  toasting = setTimeout(() => $('toast').classList.remove('on'), 2500);
};

// ---- adding to the cart without leaving the page
document.addEventListener('submit', async (e) => {
  const form = e.target;
  if (!form.matches('[data-cart]')) return;
  e.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  body.set('action', 'add');
  try {
    const answer = await fetch(form.getAttribute('action'), { method: 'POST', body, headers: { accept: 'application/json' } });
    const { count } = await answer.json();
    document.querySelector('[data-cart-count]').textContent = count;
    document.querySelector('.bag').setAttribute('aria-label', `Cart, ${count} ${count == 1 ? 'item' : 'items'}`);
    toast('In your cart');
  } catch (error) {
    form.submit();
  }
});

// ---- browse as somebody else
const SAVED = 'demo_own';
const persona = $('persona');
const stored = (value) => {
  try {
    return value === undefined ? localStorage.getItem('pz') : value ? localStorage.setItem('pz', value) : localStorage.removeItem('pz');
  } catch (error) {
    return null;
  }
};
const SWAP = 'demo_swap'; // done on the next page, before its beacon starts, so that nobody's last event goes to somebody else
const swap = sessionStorage.getItem(SWAP);
if (swap !== null) {
  stored(swap);
  sessionStorage.removeItem(SWAP);
}
if (persona) {
  const current = cookie('demo_persona');
  persona.value = [...persona.options].some((option) => option.value == current) ? current : '';
  persona.addEventListener('change', () => {
    const anon = persona.value;
    if (anon) {
      if (!cookie('demo_persona')) {
        sessionStorage.setItem(SAVED, JSON.stringify([stored() || '', cookie('demo_consent')]));
      }
      remember('demo_persona', anon, 1);
      remember('demo_region', persona.selectedOptions[0].dataset.region, 365);
      remember('demo_consent', 'granted/vault.purchases+vault.searches', 180);
      sessionStorage.setItem(SWAP, JSON.stringify({ a: anon }));
    } else {
      const [own, consent] = JSON.parse(sessionStorage.getItem(SAVED) || '["",""]');
      remember('demo_persona', '', 0);
      consent ? remember('demo_consent', consent, 180) : remember('demo_consent', '', 0);
      sessionStorage.setItem(SWAP, own);
    }
    location.reload();
  });
}

// ---- a page that comes back from the browser's cache asks again, and so does one whose visitor just decided
const refresh = () => document.querySelectorAll('pz-recs').forEach((shelf) => shelf.refresh && shelf.refresh());
addEventListener('pageshow', (e) => e.persisted && refresh());
let decided = made ? made.state : 'pending';
document.addEventListener('pz:consent', (e) => {
  if (e.detail != decided) refresh();
  decided = e.detail;
});

// ---- personal search results: the words travel in the body of a POST, never in an address
const results = $('results');
const field = $('q');
if (results) {
  const look = async () => {
    const query = field.value.trim();
    if (!query) return;
    try {
      const found = await find(query, 48);
      if (query == field.value.trim()) show(query, found);
    } catch (error) {
      /* what the shop's own server rendered stays */
    }
    results.removeAttribute('data-waiting');
  };
  const show = (query, found) => {
    $('search-title').textContent = `\u201c${query}\u201d`;
    const count = found.total ?? found.items.length;
    const order = found.strategy == 'personalized' ? 'yours first' : 'in the order most people would want';
    const meant = Object.entries(found.corrected || {}).map(([typed, word]) => `Searched for \u201c${word}\u201d, not \u201c${typed}\u201d. `);
    const what = count ? `${count} ${count == 1 ? 'match' : 'matches'}, ${order}.` : 'No matches.';
    $('search-note').textContent = meant.join('') + what;
    const list = make('ul', null, 'grid');
    list.setAttribute('role', 'list');
    list.dataset.pzList = 'search';
    if (found.token) list.dataset.pzToken = found.token;
    found.items.forEach((item, i) => list.append(tile(item, i)));
    const empty = make('div', null, 'empty');
    empty.append(make('p', 'Nothing matches. Try fewer words, or another spelling.'));
    results.replaceChildren(found.items.length ? list : empty);
    noteShelf({ placement: 'search', ...found }, found, 'Search results');
  };
  const tile = (item, i) => {
    const li = make('li');
    const price = fill(li, item);
    Object.assign(li.dataset, { pzItem: item.id, pzIndex: i, pzPrice: price, pzCurrency: item.currency });
    return li;
  };
  let typing;
  field.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(look, 150);
  });
  field.form.addEventListener('submit', (e) => {
    e.preventDefault();
    look();
  });
  addEventListener('DOMContentLoaded', look); // after the beacon has started
}

// ---- the front page in this visitor's own order, where they agreed: nothing that is seen moves
const front = document.querySelector('[data-experience]');
const arrange = async () => {
  const visitor = ask('visitor');
  if (!visitor || !visitor.consent) return;
  try {
    const answer = await fetch('/v1/experience', {
      method: 'POST',
      credentials: 'omit',
      body: JSON.stringify({
        key: document.querySelector('script[data-key]').dataset.key, visitor, page: front.dataset.experience,
        context: { region: region.value },
      }),
    });
    if (!answer.ok) return;
    const { sections, banner: said } = await answer.json();
    const inOrder = (here) => sections.map(({ id }) => here.find((el) => el.dataset.section == id)).filter(Boolean);
    const differs = (here, wanted) => here.filter((el) => wanted.includes(el)).some((el, place) => el != wanted[place]);
    const all = [...front.querySelectorAll('[data-section]')];
    const now = differs(all, inOrder(all)) ? all.filter((el) => el.getBoundingClientRect().top > innerHeight) : [];
    const wanted = inOrder(now);
    if (differs(now, wanted)) {
      const moving = now.filter((el) => wanted.includes(el));
      const slots = moving.map((el) => {
        const slot = document.createComment('');
        el.before(slot);
        return slot;
      });
      slots.forEach((slot, place) => slot.replaceWith(wanted[place]));
    }
    const words = document.querySelector('[data-banner] strong');
    if (said && words) words.textContent = said.title;
  } catch (error) {
    /* what the shop's own server rendered stays */
  }
};
if (front && 'personal' in root.dataset) addEventListener('DOMContentLoaded', arrange);

// ---- one's own data: everything that is held as a file, or gone
const keep = (name, content) => {
  const link = make('a');
  link.href = URL.createObjectURL(new Blob([content], { type: 'application/json' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
};
const rights = async (e) => {
  const { right } = e.target.dataset;
  if (!right) return;
  if (right == 'receipt') return keep('receipt.json', JSON.stringify(receipt, null, 1));
  const who = named(ask('visitor'));
  if (!who) return toast('Nothing is held about you');
  const headers = { 'personalize-visitor': JSON.stringify(who) };
  const erase = right == 'forget';
  try {
    const answer = await fetch(erase ? '/v1/me' : '/v1/me/export', { method: erase ? 'DELETE' : 'GET', headers, credentials: 'omit' });
    if (!answer.ok) throw answer.status;
    if (!erase) return keep('my-data.json', await answer.text());
    receipt = undefined;
    decide('denied', [], true); // what the browser keeps goes too, and nobody is left to keep a decision of
    toast('You are forgotten');
  } catch (error) {
    toast('That did not work; please try again');
  }
};
$('lens').addEventListener('click', rights);

// ---- behind this page
const STATES = {
  pending: 'No decision yet: nothing is kept, nothing is sent',
  granted: 'You agreed: tastes are kept for 180 days',
  session: 'For this visit only',
  anonymous: 'Counted without any id (Global Privacy Control)',
  denied: 'You said no: nothing is sent',
};
const describe = () => {
  if ($('lens').hidden) return; // nothing is made for what nobody looks at
  const visitor = ask('visitor');
  if (!visitor || !visitor.consent) return;
  const who = persona && persona.value ? persona.selectedOptions[0] : undefined;
  const rows = [
    ['You are', who ? who.textContent + ', ' + who.dataset.line : 'yourself'],
    ['Consent', STATES[visitor.consent]],
    ['Also remembered', (visitor.purposes || []).map((p) => ({ 'vault.purchases': 'purchases', 'vault.searches': 'searches' })[p]).join(', ') || 'nothing else'],
    ['Receipt', receipt ? 'no. ' + receipt.record_id + ', signed' : 'none on this page'],
    ['Your id', visitor.anon ? visitor.anon.slice(0, 6) + '\u2026, random, replaced by a keyed one on arrival' : visitor.session ? 'random, for this visit only' : 'none'],
  ];
  document.querySelector('[data-right=receipt]').hidden = !receipt;
  $('lens-you').replaceChildren(
    ...rows.map(([name, value]) => {
      const row = make('div');
      row.append(make('dt', name), make('dd', value));
      return row;
    }),
  );
  if (shelves.size) $('lens-shelves').replaceChildren(...[...shelves.values()].map(shelfRow));
  if (told.length) $('lens-events').replaceChildren(...told.map(eventRow));
};
const shelves = new Map();
const told = [];
const noteShelf = (result, answer, heading) => {
  shelves.set(result.placement, { result, answer, heading });
  describe();
};
const shelfRow = ({ result, answer, heading }) => {
  const li = make('li');
  const head = make('div');
  head.append(make('b', heading || result.placement), make('span', result.strategy, 'tag ' + result.strategy));
  const items = result.items || [];
  const reasons = [...new Set(items.map((item) => item.reason && item.reason.text).filter(Boolean))].slice(0, 3);
  const took = answer && answer.took_ms != null ? `Answered in ${(+answer.took_ms).toFixed(1)} ms. ` : '';
  const why = reasons.map((text) => text + '.').join(' ') || (items.length ? 'From this page alone.' : 'Nothing to show yet.');
  li.append(head, make('p', answer ? took + why : 'As the shop\u2019s server drew it: from this page alone, without asking who you are.'));
  return li;
};
document.addEventListener('pz:recs', (e) => {
  const { result, answer } = e.detail || {};
  const title = e.target.querySelector('h2');
  const { otherwise } = e.target.dataset;
  if (title && otherwise && result && result.strategy != 'personalized') title.textContent = otherwise;
  if (answer || !result) noteShelf(result || { placement: e.target.getAttribute('placement'), strategy: 'contextual' }, answer, title && title.textContent);
});
const eventRow = (event) => {
  const items = (event.params && event.params.items) || [];
  const what = event.params && event.params.item_list_id || event.item || '';
  const li = make('li');
  const row = make('div');
  row.append(make('code', event.name), make('span', [what, items.length > 1 ? items.length + ' items' : ''].filter(Boolean).join(', '), 'soft'));
  li.append(row);
  return li;
};
document.addEventListener('pz:sent', (e) => {
  told.unshift(...e.detail.events.slice().reverse());
  told.length = Math.min(told.length, 12);
  describe();
});
addEventListener('DOMContentLoaded', () => cookie('demo_lens') && lens(true));
