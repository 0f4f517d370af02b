/* The shelf: <pz-recs placement="home" limit="10">what to show without it</pz-recs> shows what this visitor should see now.
 *
 * Attributes: placement, limit, heading, item (the product of the page), cart and exclude (ids, comma separated), filter, region, currency,
 * locale, template (id of a <template> with the shop's own card), labels ("Previous,Next"), endpoint. All shelves of a page share one request.
 *
 * Light DOM, so the shop's styles apply; the default ones sit in @layer pz at zero specificity. When the answer is late (1.5 s), empty or broken,
 * what stood between the tags stays. The attribute `state` becomes "ready" or "fallback", and an event "pz:recs" carries the answer.
 *
 * In a card template: [data-pz=link] gets href, [data-pz=image] src and alt, [data-pz=title|brand|reason|price|was] text; only ever as text.
 */
(() => {
  const doc = document;
  if (!window.customElements || customElements.get('pz-recs')) return;
  const script = doc.currentScript;
  const home = script?.src ? new URL('/v1/recommendations', script.src).href : '/v1/recommendations';
  const key = script?.dataset.key || doc.querySelector('script[data-key]')?.dataset.key;

  const CSS = `@layer pz{:where(pz-recs){display:block}:where(.pz-head){display:flex;align-items:center;gap:.5rem}:where(.pz-head h2){flex:1}
:where(.pz-list){display:grid;grid-auto-flow:column;grid-auto-columns:var(--pz-card,11rem);gap:var(--pz-gap,1rem);margin:0;padding:0;list-style:none;overflow-x:auto;scroll-snap-type:x proximity;scrollbar-width:none}
:where(.pz-list>li){scroll-snap-align:start}:where(.pz-list img){width:100%;height:auto;aspect-ratio:var(--pz-ratio,1)}:where(.pz-list a){display:block;color:inherit}
:where(.pz-list a>*){display:block}:where(.pz-head [aria-disabled=true]){opacity:.35}}`;
  try {
    const sheet = new CSSStyleSheet(); // needs no style-src 'unsafe-inline'
    sheet.replaceSync(CSS);
    doc.adoptedStyleSheets = [...doc.adoptedStyleSheets, sheet];
  } catch (e) {
    /* an old browser shows the shop's own styles */
  }

  const make = (name, attributes, ...children) => {
    const el = doc.createElement(name);
    for (const k in attributes) if (attributes[k] != null) el.setAttribute(k, attributes[k]);
    el.append(...children);
    return el;
  };
  // of http(s), or without a scheme: a slash, question mark or hash before any colon
  const safe = (url) => (/^(https?:|[^:]*([/?#]|$))/i.test(url || ':') ? url : '#');
  const split = (text) => (text ? text.split(',').map((s) => s.trim()) : undefined);
  const slot = (part) => make('span', { 'data-pz': part });
  const card = () =>
    make('a', { 'data-pz': 'link' }, make('img', { 'data-pz': 'image', loading: 'lazy', width: 300, height: 300 }),
      slot('reason'), slot('title'), make('span', {}, make('s', { 'data-pz': 'was' }), ' ', make('b', { 'data-pz': 'price' })));

  const priceOf = (item) => item.sale_price ?? item.price;
  const formats = {}; // making one takes longer than all it writes
  /** Fill a card by text and attributes only, so that a product title can never become markup. */
  const fill = (root, item, locale) => {
    const money = (value) => {
      try {
        const key = locale + item.currency;
        formats[key] = formats[key] || new Intl.NumberFormat(locale, { style: 'currency', currency: item.currency });
        return formats[key].format(value);
      } catch (e) {
        return value + ' ' + (item.currency || '');
      }
    };
    const reduced = priceOf(item) < item.price;
    const image = item.image?.url || item.image;
    const texts = {
      title: item.title, brand: item.brand, reason: item.reason?.text,
      price: item.price != null && money(priceOf(item)), was: reduced && money(item.price),
    };
    root.querySelectorAll('[data-pz]').forEach((el) => {
      const part = el.dataset.pz;
      if (part == 'link') el.href = safe(item.url);
      else if (part == 'image') {
        el.alt = '';
        image ? (el.src = safe(image)) : el.remove();
      } else if (texts[part]) el.textContent = texts[part];
      else el.remove();
    });
  };
  /** Whether a card that stands there shows this item already: then only its reason is written. */
  const holds = (li, item) => {
    const why = item.reason?.text;
    const slot = li?.querySelector('[data-pz=reason]');
    if (!li || +li.dataset.pzPrice != priceOf(item) || (why && !slot)) return;
    if (slot) slot.textContent = why || '';
    return 1;
  };

  /** When the page has nothing better to do, within 0.3 seconds. */
  const idle = (work) => (window.requestIdleCallback || setTimeout)(work, { timeout: 300 });

  // ---- one request for all shelves that come into sight together
  let group = [];
  let scheduled;
  const ask = (shelf) => {
    group.push(shelf);
    scheduled = scheduled || setTimeout(send);
  };
  const send = () => {
    const told = window.pz && pz('visitor');
    const visitor = told?.consent ? told : undefined;
    // for somebody unknown the server has nothing better than what it rendered already
    const shelves = group.filter((shelf) => visitor?.session || shelf.again || !shelf.stays());
    group = [];
    scheduled = 0;
    const first = shelves[0];
    if (!first) return;
    const abort = new AbortController();
    const timeout = setTimeout(() => abort.abort(), 1500);
    const get = (name) => (shelves.find((s) => s.getAttribute(name)) || first).getAttribute(name) || undefined;
    const body = JSON.stringify({
      key, visitor,
      context: { region: get('region'), currency: get('currency'), locale: get('locale') || doc.documentElement.lang || undefined, item: get('item'), cart: split(get('cart')) },
      requests: shelves.map((s) => ({
        placement: s.getAttribute('placement'), limit: +s.getAttribute('limit') || 10,
        exclude: split(s.getAttribute('exclude')), filter: s.getAttribute('filter') || undefined,
      })),
    });
    fetch(get('endpoint') || home, { method: 'POST', body, credentials: 'omit', signal: abort.signal })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject()))
      .then((answer) => shelves.map((shelf, i) => idle(shelf.show.bind(shelf, answer.results[i], answer))))
      .catch(() => shelves.map((shelf) => shelf.show()))
      .finally(() => clearTimeout(timeout));
  };
  const near = new IntersectionObserver(
    (entries) => entries.map(({ target, isIntersecting }) => isIntersecting && (near.unobserve(target), ask(target))),
    { rootMargin: '400px' },
  );

  let count = 0;
  customElements.define('pz-recs', class extends HTMLElement {
    connectedCallback() {
      near.observe(this);
    }
    /** Ask again, for example after a change of consent or cart. */
    refresh() {
      this.again = 1;
      near.unobserve(this);
      near.observe(this);
    }
    /** The list that stands there, from the server or from here. */
    get list() {
      return this.querySelector('[data-pz-list]>.pz-list');
    }
    /** True where the server has rendered the list: it is wired as it stands. */
    stays() {
      const { list } = this;
      if (list) idle(() => this.tell('ready', this.wire(list)));
      return list;
    }
    tell(state, detail) {
      this.setAttribute('state', state);
      this.dispatchEvent(new CustomEvent('pz:recs', { bubbles: true, detail }));
    }
    show(result, answer) {
      let state = 'ready';
      try {
        this.render(result);
      } catch (e) {
        state = 'fallback'; // what stood there stays
      }
      this.tell(state, { result, answer });
    }
    render(result) {
      if (!result.items[0]) throw 0;
      const get = (name) => this.getAttribute(name);
      const locale = get('locale') || doc.documentElement.lang || undefined;
      const template = doc.getElementById(get('template')) || this.querySelector('template');
      const had = {};
      this.querySelectorAll('[data-pz-item]').forEach((li) => (had[li.dataset.pzItem] = li));
      const cards = result.items.map((item, i) => {
        let li = had[item.id];
        if (!holds(li, item)) {
          li = make('li', { 'data-pz-item': item.id, 'data-pz-currency': item.currency, 'data-pz-price': priceOf(item) },
            template ? template.content.cloneNode(true) : card());
          fill(li, item, locale);
        }
        li.dataset.pzIndex = item.index ?? i;
        return li;
      });
      let { list } = this;
      if (!list) {
        const id = 'pz-' + ++count;
        list = make('ul', { class: 'pz-list', 'aria-labelledby': id, tabindex: 0, role: 'list' });
        const kept = this.querySelector('template');
        this.replaceChildren(...(kept ? [kept] : []),
          make('section', { 'aria-labelledby': id, 'data-pz-list': '' }, make('div', { class: 'pz-head' }, make('h2', { id })), list));
      }
      const section = list.parentNode;
      const title = section.querySelector('h2');
      section.dataset.pzList = result.placement;
      section.dataset.pzToken = result.token;
      if (title) title.textContent = get('heading') || result.title;
      if (cards.some((li, i) => li != list.children[i]) || list.children[cards.length]) {
        list.replaceChildren(...cards);
        requestAnimationFrame(() => list.scroll(0, 0)); // or the browser follows the card that was first
      }
      this.wire(list);
    }
    /** Buttons that move the list and know by the sight of its first and last card where it ends. */
    wire(list) {
      const head = list.parentNode.querySelector('.pz-head');
      if (!head) return;
      if (!list.ends) {
        const labels = split(this.getAttribute('labels')) || ['Previous', 'Next'];
        const seen = [1, 1]; // first card, last card
        const buttons = [-1, 1].map((way, i) => {
          const button = make('button', { type: 'button', class: 'pz-' + (i ? 'next' : 'previous'), 'aria-label': labels[i], hidden: '' }, '\u2039\u203a'[i]);
          button.onclick = () => {
            const rtl = getComputedStyle(list).direction == 'rtl' ? -1 : 1;
            const still = matchMedia('(prefers-reduced-motion:reduce)').matches;
            list.scrollBy({ left: way * rtl * list.clientWidth * 0.9, behavior: still ? 'auto' : 'smooth' });
          };
          return button;
        });
        head.append(...buttons);
        list.ends = new IntersectionObserver(
          (entries) => {
            entries.map((e) => (seen[+(e.target != list.firstElementChild)] = e.isIntersecting));
            buttons.map((button, i) => {
              button.setAttribute('aria-disabled', seen[i]);
              button.hidden = seen[0] && seen[1];
            });
          },
          { root: list, threshold: 0.9 },
        );
      }
      list.ends.disconnect();
      list.ends.observe(list.firstElementChild);
      list.ends.observe(list.lastElementChild);
    }
  });
})();
