/** The line below a list: which part of it is shown, and the buttons for the other parts. */
import { element } from './dom.js';
import { formatCount } from './rows.js';

/**
 * `data-page` of a button is the number of the page that it shows.
 * @param {string} what a noun in the plural, for instance `addresses`
 * @param {{ page: number, pages: number, from: number, to: number, total: number }} part
 */
export function pager(what, { page, pages, from, to, total }) {
  const text =
    total === 0
      ? `No ${what}`
      : `${formatCount(from)} to ${formatCount(to)} of ${formatCount(total)} ${what}`;
  return element(
    'div',
    { class: 'pager' },
    element('p', { role: 'status' }, text),
    pages > 1 &&
      element(
        'div',
        { role: 'group', 'aria-label': `Pages of ${what}` },
        button('First', 0, page === 0),
        button('Previous', page - 1, page === 0),
        button('Next', page + 1, page === pages - 1),
        button('Last', pages - 1, page === pages - 1),
      ),
  );
}

/**
 * @param {string} text
 * @param {number} page
 * @param {boolean} isDisabled
 */
function button(text, page, isDisabled) {
  // The attribute `disabled` would take the focus away. The button therefore has `aria-disabled`, and the listener in `main.js` ignores its clicks.
  return element(
    'button',
    { type: 'button', 'data-page': String(page), 'aria-disabled': isDisabled ? 'true' : undefined },
    text,
  );
}
