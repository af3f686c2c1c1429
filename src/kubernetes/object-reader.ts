/**
 * {@link ObjectReader} checks the type of each field of an API object that it reads. For a wrong type it throws {@link InvalidObject}, which
 * names the path of the field. The mistake therefore shows where the object enters, not later in other code. Absent fields and `null` read as
 * `undefined`.
 */
export class InvalidObject extends Error {
  readonly code = 'ERR_INVALID_OBJECT';
}

export class ObjectReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #parent: ObjectReader | undefined;
  /** Field of the parent, e.g. `spec`. The whole path is assembled only for an error. */
  readonly #name: string;
  readonly #index: number | undefined;

  constructor(value: unknown, parent?: ObjectReader, name = '', index?: number) {
    this.#parent = parent;
    this.#name = name;
    this.#index = index;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new InvalidObject(`${this.#path() || 'the object'} is not an object`);
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    if (value !== undefined && typeof value !== 'string') throw this.#invalid(name, 'a string');
    return value;
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw this.#invalid(name, 'a string');
    return value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value !== undefined && typeof value !== 'boolean') throw this.#invalid(name, 'a boolean');
    return value;
  }

  number(name: string): number | undefined {
    const value = this.#value(name);
    if (value !== undefined && typeof value !== 'number') throw this.#invalid(name, 'a number');
    return value;
  }

  /** Reads absent objects as empty ones. */
  object(name: string): ObjectReader {
    return new ObjectReader(this.#value(name) ?? {}, this, name);
  }

  /** Reads absent lists as empty ones. */
  objects(name: string): ObjectReader[] {
    return this.#list(name).map((item, index) => new ObjectReader(item, this, name, index));
  }

  texts(name: string): readonly string[] {
    const list = this.#list(name);
    if (!list.every((item) => typeof item === 'string')) throw this.#invalid(name, 'a list of strings');
    return list;
  }

  /** Reads absent maps as empty ones. */
  textMap(name: string): Readonly<Record<string, string>> {
    const map = this.object(name).#fields;
    for (const value of Object.values(map))
      if (typeof value !== 'string') throw this.#invalid(name, 'a map of strings');
    return map as Readonly<Record<string, string>>;
  }

  #list(name: string): readonly unknown[] {
    const value = this.#value(name) ?? [];
    if (!Array.isArray(value)) throw this.#invalid(name, 'a list');
    return value;
  }

  #value(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }

  #path(): string {
    const own = this.#index === undefined ? this.#name : `${this.#name}[${this.#index}]`;
    const above = this.#parent === undefined ? '' : this.#parent.#path();
    return above === '' ? own : `${above}.${own}`;
  }

  #invalid(name: string, expected: string): InvalidObject {
    const above = this.#path();
    return new InvalidObject(`${above === '' ? name : `${above}.${name}`} is not ${expected}`);
  }
}
