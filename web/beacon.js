/* The beacon: tells the shop's server what a visitor does, exactly as far as that visitor agreed.
 *
 * A guest on someone's page: no dependencies, no cookies, no query strings, never throws, never calls preventDefault.
 *
 *   <script defer src="/pz.js" data-key="pk_…" data-consent="pending"></script>
 *   pz('consent', 'granted', {purposes: ['vault.searches'], version: '2026-11'})   the visitor's explicit decision
 *   pz('add_to_cart', {items: [{item_id: 'SKU1', price: 19.9, quantity: 1}], currency: 'EUR', value: 19.9})
 *   pz('identify', userId, signature)    pz('set', {region: 'FR', signals: {tcf: '…'}})    pz('visitor')    pz('page')    pz('flush')
 *
 * Consent:  pending    events wait in memory (at most 50); nothing is stored, nothing is sent
 *           granted    random id in localStorage        session    the visit's random id in sessionStorage
 *           anonymous  events without any id, no storage        denied    nothing at all
 * What lies in storage is one entry, "pz": {a: visitor, s: session, t: last activity, q: unacknowledged purchases, k: clicked shelves}.
 *
 * In the markup:  [data-pz-list=placement][data-pz-token] around cards [data-pz-item][data-pz-index][data-pz-price]
 *                 [data-pz-event=add_to_cart] on a button;  <script type="application/json" data-pz-event="purchase">{…}</script>
 * Without any:    what dataLayer is told for Google (gtag('event' | 'consent', …), {event, ecommerce}) and a schema.org Product
 *                 in the page. data-consent="google": the visitor's state is what Google Consent Mode is told.
 */
(() => {
  const doc = document;
  const script = doc.currentScript || doc.querySelector('[data-key]');
  const early = window.pz;
  if (!script || (early?.on)) return; // no key, or a second copy of this file
  const options = script.dataset;

  const endpoint = options.endpoint || new URL('/v1/events', script.src);
  const gpc = navigator.globalPrivacyControl;
  const google = options.consent == 'google' && !gpc;

  let state = 'pending';
  let purposes;
  let version;
  let user;
  const gcm = {}; // what Google Consent Mode was told
  let extras = {}; // what the shop says about the page: region, signals (consent strings: tcf, gpp, gcm)
  let memo = {}; // what storage holds, also when storage refuses
  let kept; // the entry as this page saw it last in storage
  let queue = [];
  let era = 0; // counts consent decisions: what was in flight under an older one is not put back
  let busy, timer, pause, stopped;
  let view, here, item, seen;
  let engaged, last, active, deepest;
  let sequence = 0;

  const guard = (work) => (...args) => {
    try {
      return work(...args);
    } catch (e) {
      /* a guest keeps its troubles to itself */
    }
  };
  const listen = (target, names, work) =>
    names.split(' ').map((name) => target.addEventListener(name, guard(work), { passive: true, capture: true }));
  /** When the page has nothing better to do, within a second. */
  const idle = (work) => (window.requestIdleCallback || setTimeout)(guard(work), { timeout: 1e3 });
  const random = (bytes) =>
    [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => (b + 256).toString(16).slice(1)).join('');
  const each = (selector, work) => doc.querySelectorAll(selector).forEach(work);
  const say = (name, detail) => doc.dispatchEvent(new CustomEvent('pz:' + name, { detail }));
  const tab = random(8);
  const known = () => state == 'granted' || state == 'session';

  // ---- storage: one entry, only with consent to store
  const area = () => (state == 'granted' ? localStorage : sessionStorage);
  const load = () => {
    guard(() => {
      if (!known()) return;
      const stored = area().getItem('pz');
      if (stored) memo = JSON.parse((kept = stored));
      else if (kept) {
        // the visitor cleared it, or withdrew in another tab: wait until the shop says what holds now
        era++;
        queue = [];
        memo = {};
        state = 'pending';
      }
    })();
    return memo;
  };
  const save = guard(() => {
    const text = JSON.stringify(memo);
    if (kept != text && known()) {
      area().setItem('pz', text);
      kept = text;
    }
  });
  const erase = () => {
    state == 'granted' || guard(() => localStorage.removeItem('pz'))();
    state == 'session' || guard(() => sessionStorage.removeItem('pz'))();
  };

  /** Who is asking, as far as consent allows: what every batch and every recommendation request carries. */
  const visitor = () => {
    load();
    const who = { consent: state, purposes, consent_version: version };
    if (known()) {
      const now = Date.now();
      if (state == 'granted') memo.a = memo.a || random(16);
      memo.s = now - memo.t < 18e5 ? memo.s : random(16); // a visit ends after 30 idle minutes
      memo.t = now - (now % 6e4); // by the minute, so that few calls have something to write
      save();
      Object.assign(who, { anon: memo.a, session: memo.s, signals: extras.signals }, user);
    }
    return who;
  };

  // ---- sending
  const envelope = (who, events) =>
    JSON.stringify({
      v: 1, key: options.key, sent: Date.now(), ...who, page: here, locale: doc.documentElement.lang, ...extras, signals: who.signals, events,
    });
  const post = (body) => fetch(endpoint, { method: 'POST', body, keepalive: true, credentials: 'omit' });

  const later = (ms) => (timer = timer || setTimeout(idle, ms, () => flush()));
  const flush = guard((hiding) => {
    clearTimeout(timer);
    timer = 0;
    const who = visitor();
    if (!queue.length || stopped || state == 'pending' || (busy && !hiding)) return;
    let size = 0;
    let count = 0;
    // 20,000 characters are at most 60 KB: under the server's cap and the browser's 64 KB for keepalive
    while (count < 99 && count < queue.length && (size += JSON.stringify(queue[count]).length) < 2e4) count++;
    const events = queue.splice(0, count || 1);
    const body = envelope(who, events);
    if (hiding && guard(() => navigator.sendBeacon(endpoint, body))()) return flush(1);
    const began = era;
    busy = 1;
    post(body)
      .then((answer) => {
        const status = answer.status;
        if (status == 410) stopped = queue = [];
        if (status > 499 || status == 429 || status == 408) throw 0;
        load().q = memo.q?.filter((e) => !events.some((sent) => sent.id == e.id));
        save();
        pause = busy = 0;
        say('sent', { status, events });
        if (queue.length) later(1);
      })
      .catch(() => {
        busy = 0;
        if (era != began) return;
        queue = events.concat(queue);
        pause = Math.min(pause * 2 || 1e3, 32e3);
        later(pause * (1 + Math.random()));
      });
  });

  // ---- events
  const born = (name) => ({ id: tab + '-' + sequence++, name, ts: Date.now() });
  const unname = (event) => ((event.id = random(8)), (event.page = undefined));
  const track = (name, params = {}) => {
    if (!name || stopped || state == 'denied') return;
    const items = params.items || [];
    const first = items[0] && !/list|select/.test(name) ? items[0].item_id : item;
    if (name == 'view_item') {
      if (item && item == first) return; // dataLayer, markup and JSON-LD may all tell of one view
      item = first;
    }
    items.map((i) => {
      // the shelf that was clicked gets the credit for what is bought later
      const clicks = memo.k || [];
      if (name == 'select_item') {
        load().k = clicks.concat([[i.item_id, i.token, i.item_list_id]]).slice(-20);
        save();
      } else if (!i.token) clicks.map((c) => c[0] == i.item_id && ([, i.token, i.item_list_id] = c));
    });
    const event = { ...born(name), page: view, item: first, params };
    if (state == 'anonymous') unname(event);
    // sent at once, and kept until the server has said yes
    const once = /purchase|add_to_cart|refund/.test(name);
    if (queue.length < (state == 'pending' ? 50 : 200)) queue.push(event);
    if (once && known()) {
      load().q = (memo.q || []).concat(event).slice(-100);
      save();
    }
    once || queue.length > 9 ? flush() : later(1e3);
  };

  // ---- consent
  const decide = (next, { purposes: named, version: text } = {}) => {
    if (!/^(pending|granted|session|anonymous)$/.test(next)) next = 'denied'; // what cannot be read is a no
    const changed = next != state;
    if (!changed && '' + named == '' + purposes) return;
    const who = visitor();
    era++;
    if (changed && next != 'granted') memo = {};
    if (next == 'denied' || (who.session && next == 'anonymous')) queue = [];
    state = next;
    kept = 0;
    purposes = named;
    version = text || version;
    erase();
    if (who.session) {
      // the server hears of a change under the id it knows; a visitor who never agreed to anything is not heard of
      const was = who.anon && next == 'session' ? 'denied' : next; // what outlives the visit ends here
      post(envelope({ ...who, consent: was, purposes, consent_version: version }, [born('consent_update')])).catch(() => {});
    } else if (known()) queue = (load().q || []).concat(queue);
    if (next == 'anonymous') queue.map(unname); // what waited under "pending" loses its ids
    say('consent', next);
    flush();
  };

  // ---- what the markup says
  const card = (el) => {
    const box = el.closest('[data-pz-item]');
    if (!box) return;
    const { pzItem, pzIndex, pzPrice, pzQuantity } = box.dataset;
    const { pzList, pzToken } = (box.closest('[data-pz-list]') || box).dataset;
    return {
      item_id: pzItem,
      index: +pzIndex,
      item_list_id: pzList,
      token: pzToken,
      price: +pzPrice,
      quantity: +pzQuantity || 1,
    };
  };
  listen(doc, 'click auxclick', (e) => {
    const el = e.button < 2 && e.target.closest('a[href],[data-pz-event]');
    if (!el) return;
    const it = card(el);
    const name = el.dataset.pzEvent || (it?.item_list_id && 'select_item');
    track(name, {
      items: it && [it],
      currency: el.closest('[data-pz-currency]')?.dataset.pzCurrency,
      value: it && it.price * it.quantity, // NaN is null in JSON
    });
  });

  // ---- impressions: half of the card for one second, once per page view, told per shelf
  const waiting = new Map(); // card → the look that found it in sight
  const observer = new IntersectionObserver(
    guard((look) => {
      look.map(({ target, isIntersecting }) => (isIntersecting ? waiting.set(target, look) : waiting.delete(target)));
      setTimeout(idle, 1e3, () => {
        const shown = {};
        waiting.forEach((began, target) => {
          if (began != look) return;
          waiting.delete(target);
          const it = card(target);
          const list = it.item_list_id;
          const key = list + ' ' + it.item_id;
          if (doc.hidden || seen.has(key)) return;
          seen.add(key);
          (shown[list] = shown[list] || []).push(it);
        });
        for (const list in shown) track('view_item_list', { item_list_id: list, items: shown[list] });
      });
    }),
    { threshold: 0.5 },
  );
  let scanTimer;
  const scan = guard(() => {
    scanTimer = 0;
    each('[data-pz-list] [data-pz-item]', (el) => observer.observe(el));
    each('script[data-pz-event]', (el) => {
      const name = el.dataset.pzEvent;
      el.dataset.pzEvent = ''; // told once
      track(name, name && JSON.parse(el.textContent));
    });
  });

  // ---- what the page tells others already
  const heard = guard((entry) => {
    const [what, name, told] = entry.event ? ['event', entry.event, entry.ecommerce || entry] : entry;
    const { items, value, currency, search_term, item_list_id, transaction_id } = told;
    if (what == 'event' && /^(view_[ics]|select_i|sea|add_t|rem|beg|pur|ref)/.test(name))
      track(name, { items, value, currency, search_term, item_list_id, transaction_id });
    if (what == 'consent') {
      extras.signals = { ...extras.signals, gcm: Object.assign(gcm, told) };
      const next = gcm.personalization_storage || gcm.analytics_storage;
      if (google && (next == 'granted' || name == 'update')) decide(next);
    }
  });
  const product = guard(() => {
    // on loads only: after pushState it still describes the page before
    each('[type="application/ld+json"]', (el) => {
      const told = JSON.parse(el.textContent);
      [].concat(told['@graph'] || told).map((it) => {
        if (it.sku && it['@type'] == 'Product') track('view_item', { items: [{ item_id: it.sku }] });
      });
    });
  });
  const watch = () => {
    beat();
    waiting.clear();
    observer.disconnect();
    idle(scan);
  };

  // ---- engaged time: visible, focused, and something moved within the last 30 seconds
  const beat = (e) => {
    const now = performance.now();
    if (active) engaged += Math.min(now - last, 3e4);
    last = now;
    active = !doc.hidden && doc.hasFocus();
    if (e?.type > 's') deepest = Math.max(deepest, scrollY); // a scroll: at any other time asking would force a layout
  };
  const engagement = () => {
    beat();
    if (engaged < 1e3) return;
    track('user_engagement', {
      engagement_time_msec: engaged | 0,
      percent_scrolled: (((deepest + innerHeight) / doc.documentElement.scrollHeight) * 100) | 0,
    });
    engaged = 0;
  };

  // ---- pages
  const page = () => {
    if (here) leave();
    here = { url: location.pathname, ref: here?.url || doc.referrer.split(/[?#]/)[0] };
    view = random(8);
    seen = new Set();
    item = undefined;
    engaged = deepest = 0;
    track('page_view');
    watch();
  };
  const start = guard(() => {
    window.pz = guard((name, a, b) => (commands[name] || track.bind(0, name))(a, b));
    pz.on = 1;
    early?.q?.map((call) => pz(...call));
    const initial = google ? state : options.consent || state;
    if (state == 'pending') decide(gpc && initial != 'denied' ? 'anonymous' : initial);
    page();
    listen(window, 'pagehide', leave);
    listen(doc, 'visibilitychange', () => {
      doc.hidden ? leave(1) : watch();
    });
    ['pushState', 'replaceState'].map((name) => {
      const original = history[name];
      history[name] = function (...args) {
        const result = original.apply(this, args);
        guard(moved)();
        return result;
      };
    });
    idle(() => {
      new MutationObserver(() => (scanTimer = scanTimer || setTimeout(idle, 200, scan))).observe(doc, { subtree: true, childList: true });
      listen(window, 'pointerdown pointermove keydown scroll focus blur', beat);
      listen(window, 'pageshow', (e) => e.persisted && page());
      listen(window, 'popstate', moved);
      listen(window, 'online', () => flush());
      listen(window, 'storage', load);
      guard(() => {
        const layer = (window.dataLayer = window.dataLayer || []);
        const push = layer.push;
        layer.forEach(heard);
        layer.push = (...told) => {
          told.forEach(heard);
          return push.apply(layer, told);
        };
      })();
      item || product();
    });
  });
  const moved = () => location.pathname != here.url && page();
  const leave = (hiding) => {
    engagement();
    flush(hiding);
  };
  const commands = {
    consent: decide,
    identify: (id, signature) => (user = id ? { user: id, user_sig: signature } : undefined),
    set: (more) => Object.assign(extras, more),
    visitor,
    page,
    flush,
  };

  if (doc.prerendering) listen(doc, 'prerenderingchange', start);
  else start();
})();
