// Values of a manifest with the place where they stand: for messages that say what is damaged.

import { oneLine } from "../errors.js";

const MOST_SHOWN = 100;

/** What is wrong with a manifest, in words. */
export class Problem extends Error {}

/** A plain value of JSON. */
export type PlainValue = null | boolean | number | string;
export type PlainValues = Readonly<Record<string, PlainValue>>;

/** A value and its place. What is read of it throws a `Problem` when it is something else. */
export class Field {
  constructor(
    readonly value: unknown,
    readonly path = "",
  ) {}

  refuse(what: string): never {
    throw new Problem(this.path === "" ? what : `${this.path}: ${what}`);
  }

  /** The member of an object; null when there is none. */
  find(name: string): Field | null {
    const found = this.members().find(([key]) => key === name);
    return found === undefined ? null : new Field(found[1], this.pathOf(name));
  }

  at(name: string): Field {
    return this.find(name) ?? this.refuse(`${name} is missing`);
  }

  /** As `find`, but null for a null too. */
  set(name: string): Field | null {
    const found = this.find(name);
    return found === null || found.value === null ? null : found;
  }

  /** As `at`, but null for a null. */
  nullable(name: string): Field | null {
    const found = this.at(name);
    return found.value === null ? null : found;
  }

  members(): [string, unknown][] {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return this.refuse(`is ${shown(value)} instead of an object`);
    }
    return Object.entries(value);
  }

  items(): unknown[] {
    return Array.isArray(this.value)
      ? this.value
      : this.refuse(`is ${shown(this.value)} instead of a list`);
  }

  flag(): boolean {
    return typeof this.value === "boolean"
      ? this.value
      : this.refuse(`is ${shown(this.value)} instead of true or false`);
  }

  text(): string {
    return isText(this.value)
      ? this.value
      : this.refuse(`is ${shown(this.value)} instead of a text`);
  }

  integer(low: number, high: number): number {
    const number = this.number(low, high);
    return Number.isInteger(number)
      ? number
      : this.refuse(`is ${number} instead of a whole number`);
  }

  number(low: number, high: number): number {
    if (typeof this.value !== "number") {
      return this.refuse(`is ${shown(this.value)} instead of a number`);
    }
    if (!(this.value >= low && this.value <= high)) {
      return this.refuse(`is ${this.value}: must be from ${low} to ${high}`);
    }
    return this.value;
  }

  /** The members of an object that holds nothing but plain values. */
  plain(): PlainValues {
    for (const [name, value] of this.members()) {
      if (!isPlain(value)) this.refuse(`${name} is ${shown(value)}`);
    }
    return Object.fromEntries(this.members()) as PlainValues;
  }

  private pathOf(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

/** A value for a message: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? `'${oneLine(value.slice(0, MOST_SHOWN))}'` : String(value);
}

function isPlain(value: unknown): value is PlainValue {
  return value === null || typeof value === "boolean" || Number.isFinite(value) || isText(value);
}

/** Whether this is a text that can be written as UTF-8: no half of a surrogate pair, and no 0. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !/[\0\ud800-\udfff]/u.test(value);
}
