/* What the demo shop's scripts share: the beacon's door, cookies of this shop alone, searching, and filling a card. */
window.pz = window.pz || ((...call) => (window.pz.q = window.pz.q || []).push(call));

export const ask = (...call) => window.pz(...call);
export const $ = (id) => document.getElementById(id);
export const make = (name, text, className) => {
  const el = document.createElement(name);
  if (text != null) el.textContent = text;
  if (className) el.className = className;
  return el;
};
export const cookie = (name) => (document.cookie.split('; ').find((c) => c.startsWith(name + '=')) || '').slice(name.length + 1);
export const remember = (name, value, days) => {
  document.cookie = `${name}=${value}; path=/demo; samesite=lax; max-age=${days * 86400}`;
};

/** What the server finds for this visitor; the words travel in the body of a POST, never in an address. */
export const find = async (query, limit) => {
  const { region, locale } = $('q').dataset;
  const answer = await fetch('/v1/search', {
    method: 'POST',
    credentials: 'omit',
    body: JSON.stringify({
      key: document.querySelector('script[data-key]').dataset.key, visitor: ask('visitor'), query, limit,
      context: { region, currency: 'EUR', locale },
    }),
  });
  if (!answer.ok) throw answer.status;
  return answer.json();
};

const formats = {};
const format = (currency) =>
  (formats[currency] = formats[currency] || new Intl.NumberFormat($('q').dataset.locale, { style: 'currency', currency }));

/** Put an item into a card of the page's template, inside `el`; returns what it costs now. */
export const fill = (el, item) => {
  const money = (value) => format(item.currency).format(value);
  const reduced = item.sale_price != null && item.sale_price < item.price;
  const price = reduced ? item.sale_price : item.price;
  el.append($('card').content.cloneNode(true));
  const part = (name) => el.querySelector(`[data-pz=${name}]`);
  part('link').href = item.url;
  part('image').src = item.image.url || item.image;
  part('title').textContent = item.title;
  part('price').textContent = money(price);
  if (reduced) part('was').textContent = money(item.price);
  else part('was').remove();
  part('reason').textContent = item.reason ? item.reason.text : '';
  return price;
};
