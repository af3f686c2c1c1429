/**
 * The outcome of a conversion: the rows of the table that `bellman convert` prints, one for each field of the source, and the reasons why a source
 * cannot be converted.
 */
import type { ConfigError } from '../config/index.ts';

/** A field of the source. */
export interface SourceField {
  /** Kind, namespace and name, for example `BGPPeer metallb-system/tor-a`. */
  readonly object: string;
  /** Path inside the object, for example `spec.peerAddress`. Empty when the object as a whole is meant. */
  readonly field: string;
}

/**
 * `carried`: the field has the same meaning in the configuration. `changed`: the configuration has it in another form, has only a
 * part of it, or does not need it. `not carried`: the configuration cannot express it.
 */
export type Outcome = 'carried' | 'changed' | 'not carried';

/** One row of the table. */
export interface Row extends SourceField {
  readonly outcome: Outcome;
  /** Where the field went, how it changed, or why it is missing. */
  readonly detail: string;
}

/** Why the source cannot be converted. */
export interface SourceFault extends SourceField {
  readonly message: string;
}

/** Formats a fault in one line. */
export function formatFault({ object, field, message }: SourceFault): string {
  return [object, field, message].filter((part) => part !== '').join(': ');
}

/** Collects rows and faults, and remembers which field of the source each part of the configuration comes from. */
export class Report {
  readonly rows: Row[] = [];
  readonly faults: SourceFault[] = [];
  readonly #origins = new Map<string, SourceField>();

  row(at: SourceField, outcome: Outcome, detail: string): void {
    this.rows.push({ object: at.object, field: at.field, outcome, detail });
  }

  refuse(at: SourceField, message: string): void {
    this.faults.push({ object: at.object, field: at.field, message });
  }

  /** Remembers that the part of the configuration at `path` comes from a field. */
  cameFrom(path: string, at: SourceField): void {
    if (!this.#origins.has(path)) this.#origins.set(path, at);
  }

  /** Turns an error in the configuration into a fault that names the field from which the refused text comes. */
  refuseFor({ path, message }: ConfigError): void {
    this.refuse(this.#originOf(path), message);
  }

  /**
   * Reports a warning about the configuration as a `changed` row of the source field that caused it. The row replaces a `carried` row of that
   * field.
   */
  changeFor({ path, message }: ConfigError): void {
    const { object, field } = this.#originOf(path);
    const known = this.rows.findIndex((row) => row.object === object && row.field === field);
    const row: Row = { object, field, outcome: 'changed', detail: `${path}: ${message}` };
    if (this.rows[known]?.outcome === 'carried') this.rows[known] = row;
    else this.rows.splice(known < 0 ? this.rows.length : known + 1, 0, row);
  }

  #originOf(path: string): SourceField {
    for (let within = path; within !== ''; within = parentOf(within)) {
      const at = this.#origins.get(within);
      if (at) return at;
    }
    return { object: 'the converted configuration', field: path };
  }
}

/** The path without its last key or index. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.'), path.lastIndexOf('[')));
}
