/**
 * Reads the fields of an object so that none is forgotten. The converter gives an outcome to each field that it reads. `dropOthers` gives
 * the outcome `not carried` to each field that nothing reads. A field of the wrong type is a fault. `null` and an empty text, list or mapping count
 * as absent, because the API servers and the tools of all sources write them for absent fields. Only an empty label selector counts as present,
 * because it selects everything. An absent field reads as `undefined` and gets no row.
 */
import { isMapping } from './mapping.ts';
import type { Report, SourceField } from './report.ts';
import { readSelector, type Selector } from './selectors.ts';
import { show } from './text.ts';

/** A value of the source that waits for its outcome. */
export class Field<T> {
  readonly value: T;
  readonly at: SourceField;
  readonly #report: Report;

  constructor(value: T, at: SourceField, report: Report) {
    this.value = value;
    this.at = at;
    this.#report = report;
  }

  /**
   * The field has the same meaning at these places of the configuration. When `to` is empty, the field has no effect in the source, and its row
   * says that the configuration leaves it out. Returns the value.
   */
  carried(to: string | readonly string[]): T {
    const places = joined(to);
    if (places === '') return this.changed('', 'left out; it has no effect');
    this.#place(to);
    this.#report.row(this.at, 'carried', places);
    return this.value;
  }

  /**
   * The configuration has the field at these places in another form, which `how` explains. With an empty place, `how` explains why the
   * configuration does not need the field. Returns the value.
   */
  changed(to: string | readonly string[], how: string): T {
    this.#place(to);
    const places = joined(to);
    this.#report.row(this.at, 'changed', places === '' ? how : `${places}: ${how}`);
    return this.value;
  }

  /** The configuration cannot express the field. */
  dropped(why: string): void {
    this.#report.row(this.at, 'not carried', why);
  }

  refuse(message: string): void {
    this.#report.refuse(this.at, message);
  }

  #place(to: string | readonly string[]): void {
    for (const path of typeof to === 'string' ? [to] : to) this.#report.cameFrom(path, this.at);
  }
}

function joined(to: string | readonly string[]): string {
  if (typeof to === 'string') return to;
  return to.length > 3 ? `${to.slice(0, 3).join(', ')} and ${to.length - 3} more` : to.join(', ');
}

/** The fields of a mapping inside an object. */
export class Fields {
  readonly at: SourceField;
  readonly report: Report;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();
  /** Names of the fields whose type is wrong. */
  readonly #refused = new Set<string>();
  readonly #children: Fields[] = [];

  constructor(value: Readonly<Record<string, unknown>>, at: SourceField, report: Report) {
    this.#values = value;
    this.at = at;
    this.report = report;
  }

  text(name: string): Field<string> | undefined {
    return this.#typed(name, 'a text', (value) => {
      if (typeof value === 'string') return value;
      return typeof value === 'number' ? String(value) : undefined;
    });
  }

  number(name: string): Field<number> | undefined {
    return this.#typed(name, 'a number', (value) => {
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    });
  }

  boolean(name: string): Field<boolean> | undefined {
    return this.#typed(name, 'true or false', (value) => {
      if (typeof value === 'boolean') return value;
      // A ConfigMap holds only texts, such as 'true'. In YAML 1.1, which kubectl reads, `yes` and `on` mean true, `no` and `off` mean false.
      if (value === 'true' || value === 'yes' || value === 'on') return true;
      return value === 'false' || value === 'no' || value === 'off' ? false : undefined;
    });
  }

  texts(name: string): Field<string[]> | undefined {
    return this.#typed(name, 'a list of texts', (value) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string' || typeof item === 'number')
        ? value.map(String)
        : undefined,
    );
  }

  numbersByText(name: string): Field<ReadonlyMap<string, number>> | undefined {
    return this.#typed(name, 'numbers by name', (value) => {
      if (!isMapping(value)) return undefined;
      const entries = Object.entries(value);
      return entries.every((entry): entry is [string, number] => typeof entry[1] === 'number')
        ? new Map(entries)
        : undefined;
    });
  }

  labels(name: string): Field<Record<string, string>> | undefined {
    return this.#typed(name, 'labels', (value) => {
      if (!isMapping(value)) return undefined;
      const entries = Object.entries(value);
      return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')
        ? Object.fromEntries(entries)
        : undefined;
    });
  }

  /** A label selector. An empty one is a value, because it selects everything. */
  selector(name: string): Field<Selector> | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null) return undefined;
    const read = readSelector(value);
    if (read.ok) return new Field(read.value, this.#at(name), this.report);
    this.report.refuse(this.#at(name), read.error);
    return undefined;
  }

  selectors(name: string): Field<Selector[]> | undefined {
    const list = this.#present(name);
    if (list === undefined) return undefined;
    if (!Array.isArray(list)) {
      this.#refuseType(name, 'a list of label selectors', list);
      return undefined;
    }
    const selectors = list.flatMap((item, i) => {
      const read = readSelector(item);
      if (!read.ok) this.report.refuse(this.#at(`${name}[${i}]`), read.error);
      return read.ok ? read.value : [];
    });
    return new Field(selectors, this.#at(name), this.report);
  }

  /** A mapping with fields of its own; `undefined` when it is absent. */
  object(name: string): Fields | undefined {
    const value = this.#present(name);
    if (value === undefined) return undefined;
    if (isMapping(value)) return this.#child(value, name);
    this.#refuseType(name, 'keys and values', value);
    return undefined;
  }

  /** A list of mappings with fields of their own. */
  objects(name: string): Fields[] {
    const list = this.#present(name);
    if (list === undefined) return [];
    if (!Array.isArray(list)) {
      this.#refuseType(name, 'a list', list);
      return [];
    }
    return list.flatMap((item, i) => {
      if (isMapping(item)) return this.#child(item, `${name}[${i}]`);
      this.#refused.add(name);
      this.#refuseType(`${name}[${i}]`, 'keys and values', item);
      return [];
    });
  }

  /** Refuses the object because a field that it needs is absent. Does nothing when the field was already refused for its wrong type. */
  lacks(name: string, expected: string): void {
    if (this.#refused.has(name)) return;
    this.report.refuse(this.#at(name), `missing; expected ${expected}`);
  }

  /** Whether the field is there. The call does not count as reading it. */
  has(name: string): boolean {
    return this.#valueOf(name) !== undefined;
  }

  /** Names of the fields that are there. */
  names(): string[] {
    return Object.keys(this.#values).filter((name) => this.has(name));
  }

  /** Gives the outcome `not carried` to every field that nothing has read, at any depth. */
  dropOthers(why: string): void {
    for (const name of this.names()) {
      if (this.#read.has(name)) continue;
      this.#read.add(name);
      for (const field of leavesOf(this.#valueOf(name), this.#at(name).field))
        this.report.row({ object: this.at.object, field }, 'not carried', why);
    }
    for (const child of this.#children) child.dropOthers(why);
  }

  #typed<T>(name: string, expected: string, read: (value: unknown) => T | undefined): Field<T> | undefined {
    const value = this.#present(name);
    if (value === undefined) return undefined;
    const typed = read(value);
    if (typed !== undefined) return new Field(typed, this.#at(name), this.report);
    this.#refuseType(name, expected, value);
    return undefined;
  }

  #present(name: string): unknown {
    this.#read.add(name);
    return this.#valueOf(name);
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #valueOf(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value === null || value === '' || isEmpty(value) ? undefined : value;
  }

  #child(value: Readonly<Record<string, unknown>>, name: string): Fields {
    const child = new Fields(value, this.#at(name), this.report);
    this.#children.push(child);
    return child;
  }

  #at(name: string): SourceField {
    const { object, field } = this.at;
    return { object, field: field === '' ? name : `${field}.${name}` };
  }

  #refuseType(name: string, expected: string, value: unknown): void {
    this.#refused.add(name);
    this.report.refuse(this.#at(name), `expected ${expected}, not ${show(value)}`);
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Largest number of rows for one field that nothing reads. When the field has more values, one more row names the whole field. */
const maxLeaves = 50;

/** Paths of the scalars and of the lists of scalars inside a value. */
function leavesOf(value: unknown, path: string): string[] {
  const leaves: string[] = [];
  const visit = (at: unknown, within: string) => {
    if (leaves.length > maxLeaves || at === null || at === '' || isEmpty(at)) return;
    if (isMapping(at)) for (const [name, child] of Object.entries(at)) visit(child, `${within}.${name}`);
    else if (Array.isArray(at) && at.some(isMapping))
      for (const [i, child] of at.entries()) visit(child, `${within}[${i}]`);
    else leaves.push(within);
  };
  visit(value, path);
  if (leaves.length > maxLeaves) return [...leaves.slice(0, maxLeaves), path];
  return leaves.length === 0 ? [path] : leaves;
}
