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
  const home = script && script.src ? new URL('/v1/recommendations', script.src).href : '/v1/recommendations';
  const key = (script && script.dataset.key) || (doc.querySelector('script[data-key]') || { dataset: {} }).dataset.key;

  const CSS = `@layer pz{:where(pz-recs){display:block}:where(.pz-head){display:flex;align-items:center;gap:.5rem}:where(.pz-head h2){flex:1}
:where(.pz-list){display:grid;grid-auto-flow:column;grid-auto-columns:var(--pz-card,11rem);gap:var(--pz-gap,1rem);margin:0;padding:0;list-style:none;overflow-x:auto;scroll-snap-type:x proximity;scrollbar-width:none}
:where(.pz-list>li){scroll-snap-align:start}:where(.pz-list img){width:100%;height:auto;aspect-ratio:var(--pz-ratio,1)}:where(.pz-list a){display:block;color:inherit}
:where(.pz-list a>*){display:block}:where(.pz-head [aria-disabled=true]){opacity:.35}}`;
  let styled;
  const style = () => {
    if (styled) return;
    styled = 1;
    try {
      const sheet = new CSSStyleSheet(); // needs no style-src 'unsafe-inline'
      sheet.replaceSync(CSS);
      doc.adoptedStyleSheets = [...doc.adoptedStyleSheets, sheet];
    } catch (e) {
      /* an old browser shows the shop's own styles */
    }
  };

  const make = (name, attributes, ...children) => {
    const el = doc.createElement(name);
    for (const k in attributes) if (attributes[k] != null) el.setAttribute(k, attributes[k]);
    el.append(...children.filter((c) => c != null));
    return el;
  };
  const safe = (url) => (/^https?:$/.test(new URL(url || '', doc.baseURI).protocol) ? url : '#');
  const split = (text) => (text ? text.split(',').map((s) => s.trim()) : undefined);
  const slot = (part, ...children) => make('span', { 'data-pz': part }, ...children);
  const card = () =>
    make('a', { 'data-pz': 'link' }, make('img', { 'data-pz': 'image', loading: 'lazy', width: 300, height: 300 }),
      slot('reason'), slot('title'), make('span', {}, make('s', { 'data-pz': 'was' }), ' ', make('b', { 'data-pz': 'price' })));

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
    const reduced = item.sale_price != null && item.sale_price < item.price;
    const image = item.image && item.image.url ? item.image.url : item.image;
    const texts = {
      title: item.title, brand: item.brand, reason: item.reason && item.reason.text,
      price: item.price != null && money(reduced ? item.sale_price : item.price), was: reduced && money(item.price),
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

  // ---- one request for all shelves that come into sight together
  let group = [];
  let scheduled;
  const ask = (shelf) => {
    group.push(shelf);
    scheduled = scheduled || setTimeout(send);
  };
  const send = () => {
    const shelves = group;
    group = [];
    scheduled = 0;
    const first = shelves[0];
    const visitor = (window.pz && pz('visitor')) || undefined;
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
      .then((answer) => shelves.map((shelf, i) => shelf.show(answer.results[i], answer)))
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
      style();
      near.observe(this);
    }
    disconnectedCallback() {
      near.unobserve(this);
    }
    /** Ask again, for example after a change of consent or cart. */
    refresh() {
      near.unobserve(this);
      near.observe(this);
    }
    show(result, answer) {
      try {
        if (!result || !result.items.length) throw 0;
        this.render(result);
        this.setAttribute('state', 'ready');
      } catch (e) {
        this.setAttribute('state', 'fallback');
      }
      this.dispatchEvent(new CustomEvent('pz:recs', { bubbles: true, detail: { result, answer } }));
    }
    render(result) {
      const get = (name) => this.getAttribute(name);
      const locale = get('locale') || doc.documentElement.lang || undefined;
      const id = 'pz-' + ++count;
      const template = doc.getElementById(get('template')) || this.querySelector('template');
      const list = make('ul', { class: 'pz-list', 'aria-labelledby': id, tabindex: 0, role: 'list' });
      result.items.map((item, i) => {
        const li = make('li', {
          'data-pz-item': item.id, 'data-pz-index': item.index != null ? item.index : i, 'data-pz-currency': item.currency,
          'data-pz-price': item.sale_price != null ? item.sale_price : item.price,
        }, template ? template.content.cloneNode(true) : card());
        fill(li, item, locale);
        list.append(li);
      });
      const labels = split(get('labels')) || ['Previous', 'Next'];
      const buttons = [-1, 1].map((way, i) => {
        const button = make('button', { type: 'button', class: 'pz-' + (i ? 'next' : 'previous'), 'aria-label': labels[i] }, '\u2039\u203a'[i]);
        button.onclick = () => {
          const rtl = getComputedStyle(list).direction == 'rtl' ? -1 : 1;
          const still = matchMedia('(prefers-reduced-motion:reduce)').matches;
          list.scrollBy({ left: way * rtl * list.clientWidth * 0.9, behavior: still ? 'auto' : 'smooth' });
        };
        return button;
      });
      const ends = () => {
        const at = Math.abs(list.scrollLeft);
        buttons.map((b, i) => b.setAttribute('aria-disabled', i ? at + list.clientWidth > list.scrollWidth - 2 : at < 2));
        buttons.map((b) => (b.hidden = list.scrollWidth <= list.clientWidth + 2));
      };
      list.addEventListener('scroll', ends, { passive: true });
      const section = make('section', { 'aria-labelledby': id, 'data-pz-list': result.placement, 'data-pz-token': result.token },
        make('div', { class: 'pz-head' }, make('h2', { id }, get('heading') || result.title || ''), ...buttons), list);
      const kept = this.querySelector('template');
      this.replaceChildren(...(kept ? [kept] : []), section);
      new ResizeObserver(ends).observe(list); // once it is laid out: asking now would force it
    }
  });
})();
