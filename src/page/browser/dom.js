/**
 * Builds and updates elements. Texts of the data become text nodes only, never HTML, because they come from other hosts.
 *
 * An update changes only what differs, so that the reader's focus, selection and scroll position stay as they are.
 */

/** @typedef {Node | string | undefined | false} Child */
/** @typedef {Readonly<Record<string, string | boolean | undefined | ((event: Event) => void)>>} Attributes */

/**
 * An element with attributes, listeners (`onclick`) and children.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} attributes
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (typeof value === 'string') made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/**
 * The element of `index.html` with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element ${id}`);
  return found;
}

/**
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Makes the children of an element equal to the wanted ones. It updates elements of the same kind in place. An updated element keeps its old
 * listeners, so a listener must learn from the `data-` attributes which object the element now shows.
 * @param {Element} target
 * @param {readonly Child[]} wanted
 */
export function replaceChildren(target, wanted) {
  const nodes = wanted.flatMap((child) =>
    child === undefined || child === false ? [] : [typeof child === 'string' ? new Text(child) : child],
  );
  for (const [i, node] of nodes.entries()) {
    const present = target.childNodes[i];
    if (!present) target.append(node);
    else if (!update(present, node)) target.replaceChild(node, present);
  }
  while (target.childNodes.length > nodes.length) target.lastChild?.remove();
}

/**
 * Updates a node to look like another one. Returns false when the two are of different kinds.
 * @param {Node} present
 * @param {Node} wanted
 * @returns {boolean}
 */
function update(present, wanted) {
  if (present.nodeType !== wanted.nodeType || present.nodeName !== wanted.nodeName) return false;
  if (!(present instanceof Element) || !(wanted instanceof Element)) {
    if (present.nodeValue !== wanted.nodeValue) present.nodeValue = wanted.nodeValue;
    return true;
  }
  for (const { name } of [...present.attributes])
    if (!wanted.hasAttribute(name)) present.removeAttribute(name);
  for (const { name, value } of wanted.attributes)
    if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  replaceChildren(present, [...wanted.childNodes]);
  return true;
}

/**
 * A state as a sign and a word, so that a reader needs no colours to see it.
 * @param {boolean} isGood
 * @param {string} text
 */
export function badge(isGood, text) {
  return element(
    'span',
    { class: isGood ? 'badge good' : 'badge bad' },
    element('span', { 'aria-hidden': 'true' }, isGood ? '✓ ' : '✗ '),
    text,
  );
}

/**
 * A table cell with the name of its column, which narrow screens show beside it. On a narrow screen, the style sheet lays the cells out as a grid.
 * The roles tell a screen reader that the cells still form a table.
 * @param {string} column
 * @param {...Child} children
 */
export function cell(column, ...children) {
  return element('td', { role: 'cell', 'data-column': column }, element('div', {}, ...children));
}

/**
 * The cell that names its row.
 * @param {string} column
 * @param {...Child} children
 */
export function rowHeader(column, ...children) {
  return element(
    'th',
    { role: 'rowheader', scope: 'row', 'data-column': column },
    element('div', {}, ...children),
  );
}

/**
 * A table that scrolls sideways inside its own box.
 * @param {string} label
 * @param {readonly HTMLElement[]} headers
 * @param {readonly HTMLElement[]} rows
 */
export function table(label, headers, rows) {
  return element(
    'div',
    { class: 'scroll', role: 'group', tabindex: '0', 'aria-label': label },
    element(
      'table',
      { role: 'table', 'aria-label': label },
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...headers)),
      element('tbody', { role: 'rowgroup' }, ...rows),
    ),
  );
}

/**
 * @param {string} text
 * @param {...Child} children instead of the text, for instance a button
 */
export function columnHeader(text, ...children) {
  return element('th', { role: 'columnheader', scope: 'col' }, ...(children.length > 0 ? children : [text]));
}

/** @param {...Child} children */
export function row(...children) {
  return element('tr', { role: 'row' }, ...children);
}
