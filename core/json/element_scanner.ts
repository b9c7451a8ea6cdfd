import { present } from "../invariant.ts";
import { decodeUtf8 } from "../utf8.ts";
import { endOfEscape, endOfUtf8Sequence } from "./byte_sequences.ts";
import { losesValue } from "./lossy_number.ts";

/** The limits of a scan. */
export interface ScanLimits {
  /** The most elements of the array. */
  readonly elementsMax: number;
  /** The most values and keys of the whole text. */
  readonly tokensMax: number;
  /** How many other fields of the object, and how many numbers that lose value, to record. */
  readonly notesMax: number;
}

/** The result of scanning a text of the form `{ "<field>": [element, …] }`, without parsing it. */
export interface Scanned {
  /** Why the text is not JSON, and where; undefined if it is. */
  readonly malformed: string | undefined;
  /** The limit that the text exceeds. The rest was not scanned. */
  readonly exceeded: "elements" | "tokens" | undefined;
  readonly root: "object" | "other";
  readonly field: "missing" | "array" | "other" | "repeated";
  /** The names of the object's other fields, at most `notesMax`. */
  readonly otherFields: ReadonlyArray<string>;
  /** The start and end of each element, in bytes from the start of the text. */
  readonly starts: ReadonlyArray<number>;
  readonly ends: ReadonlyArray<number>;
  /** How many values and keys each element contains, itself included. */
  readonly tokens: ReadonlyArray<number>;
  /** The numbers in the elements that lose value: the start and end of each, in order. */
  readonly lossyNumbers: ReadonlyArray<number>;
}

/** Scans a text in steps. */
export interface ElementScanner {
  /** Scans about `bytes` more bytes, up to the end of a token. Returns the result once everything is scanned. */
  readonly advance: (bytes: number) => Scanned | undefined;
}

/**
 * Scans JSON in UTF-8 of the form `{ "<field>": [element, …] }`: validates it as `JSON.parse` would, finds its elements, and
 * counts tokens. It takes about a nanosecond per byte and allocates nothing per token, so refusing a text for what the scan
 * finds costs no more than that.
 *
 * It finds numbers that lose value as well. The `context.source` of a `JSON.parse` reviver would show them too, but a
 * reviver makes parsing several times slower for every body.
 */
export const makeElementScanner = (
  bytes: Uint8Array,
  field: string,
  limits: ScanLimits,
): ElementScanner => {
  const scan = new Scan(bytes, field, limits);
  return { advance: (count) => (scan.advance(count) ? scan : undefined) };
};

// What may follow.
const VALUE = 0;
const VALUE_OR_END = 1;
const KEY = 2;
const KEY_OR_END = 3;
const COLON = 4;
const COMMA_OR_END = 5;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;

/** A number with at most this many characters before its exponent, and digits in it, is exact as a double. */
const MANTISSA_LENGTH_SAFE = 15;
const EXPONENT_DIGITS_SAFE = 2;

/** The bytes of a string that need no closer check. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) PLAIN[byte] = 1;
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

class Scan implements Scanned {
  malformed: string | undefined;
  exceeded: "elements" | "tokens" | undefined;
  root: "object" | "other" = "other";
  field: "missing" | "array" | "other" | "repeated" = "missing";
  readonly otherFields: string[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly tokens: number[] = [];
  readonly lossyNumbers: number[] = [];

  readonly #bytes: Uint8Array;
  readonly #name: string;
  readonly #limits: ScanLimits;
  #at = 0;
  #expected = VALUE;
  #tokens = 0;
  #depth = 0;
  /** Whether the innermost open level is an object, and whether the levels around it are. */
  #isInObject = false;
  readonly #outer: boolean[] = [];
  /** The depth of the elements while inside the array; -1 outside. */
  #elementDepth = -1;
  #tokensBefore = 0;

  constructor(bytes: Uint8Array, name: string, limits: ScanLimits) {
    this.#bytes = bytes;
    this.#name = name;
    this.#limits = limits;
  }

  /** Whether the scan has ended. */
  advance(count: number): boolean {
    const bytes = this.#bytes;
    const end = bytes.length;
    const until = Math.min(end, this.#at + count);
    // In local variables: the loop is faster without the properties.
    let at = this.#at;
    let expected = this.#expected;
    let tokens = this.#tokens;
    while (at < until) {
      const begin = at;
      const byte = bytes[at++] as number;
      if (byte === QUOTE) {
        if (expected > KEY_OR_END) return this.#unexpected(begin, expected);
        // Up to the end of the string, or to what needs a closer check.
        for (;;) {
          while (at < end && PLAIN[bytes[at] as number] === 1) at++;
          if (at === end || bytes[at] === QUOTE) break;
          at = this.#special(at);
          if (at === -1) return true;
        }
        if (at === end) return this.#truncated("inside a string");
        at++;
        tokens++;
        if (expected >= KEY) {
          expected = COLON;
          if (this.#depth === 1 && !this.#enterField(begin, at)) return true;
          continue;
        }
        expected = COMMA_OR_END;
        if (this.#depth === this.#elementDepth && this.#isTooMany(begin, at, tokens)) return true;
      } else if (byte === 0x2c) {
        if (expected !== COMMA_OR_END || this.#depth === 0) {
          return this.#unexpected(begin, expected);
        }
        expected = this.#isInObject ? KEY : VALUE;
      } else if (byte === 0x3a) {
        if (expected !== COLON) return this.#unexpected(begin, expected);
        expected = VALUE;
      } else if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        continue;
      } else if (byte === 0x7b || byte === 0x5b) {
        if (expected > VALUE_OR_END) return this.#unexpected(begin, expected);
        const isObject = byte === 0x7b;
        if (this.#depth === this.#elementDepth) this.#beginElement(begin, tokens);
        tokens++;
        this.#open(isObject);
        expected = isObject ? KEY_OR_END : VALUE_OR_END;
      } else if (byte === 0x7d || byte === 0x5d) {
        if (!this.#mayClose(byte === 0x7d, expected)) return this.#unexpected(begin, expected);
        this.#close();
        expected = COMMA_OR_END;
        if (this.#depth === this.#elementDepth && !this.#endElement(at, tokens)) return true;
      } else {
        if (expected > VALUE_OR_END) return this.#unexpected(begin, expected);
        this.#expected = expected;
        at = byte < 0x40 ? this.#number(begin) : this.#literal(begin);
        if (at === -1) return true;
        tokens++;
        expected = COMMA_OR_END;
        if (this.#depth === this.#elementDepth && this.#isTooMany(begin, at, tokens)) return true;
      }
    }
    this.#at = at;
    this.#expected = expected;
    this.#tokens = tokens;
    if (tokens > this.#limits.tokensMax) {
      this.exceeded = "tokens";
      return true;
    }
    if (at < end) return false;
    if (this.#depth === 0 && expected === COMMA_OR_END) return true;
    return this.#truncated(`where ${this.#wanted()} should be`);
  }

  #beginElement(at: number, tokensBefore: number): void {
    this.starts.push(at);
    this.#tokensBefore = tokensBefore;
  }

  /** Records the end of an element; false if there are too many. */
  #endElement(at: number, tokens: number): boolean {
    this.ends.push(at);
    this.tokens.push(tokens - this.#tokensBefore);
    if (this.ends.length <= this.#limits.elementsMax) return true;
    this.exceeded = "elements";
    return false;
  }

  /** Records an element of one token; true if there are too many. */
  #isTooMany(begin: number, end: number, tokens: number): boolean {
    this.#beginElement(begin, tokens - 1);
    return !this.#endElement(end, tokens);
  }

  #open(isObject: boolean): void {
    this.#outer.push(this.#isInObject);
    this.#isInObject = isObject;
    const depth = ++this.#depth;
    if (depth === 1 && isObject) this.root = "object";
    // The value of the field counts as `other` until an array starts.
    if (depth === 2 && !isObject && this.#isFieldNext) {
      this.field = "array";
      this.#elementDepth = 2;
    }
    this.#isFieldNext = false;
  }

  #close(): void {
    if (this.#depth === this.#elementDepth) this.#elementDepth = -1;
    this.#isInObject = present(this.#outer.pop(), "a level is closed that was not open");
    this.#depth--;
  }

  /** Whether the next array or object is the value of the field. */
  #isFieldNext = false;

  /** Handles a key of the object; false if it repeats the field. */
  #enterField(begin: number, end: number): boolean {
    this.#isFieldNext = false;
    if (this.root !== "object") return true;
    const isNoted = this.otherFields.length < this.#limits.notesMax;
    // Escapes make a name at most six times as long.
    if (end - begin > 6 * this.#name.length + 2 && !isNoted) return true;
    const name = JSON.parse(decodeUtf8(this.#bytes, begin, end)) as string;
    if (name === this.#name) {
      const isRepeated = this.field !== "missing";
      this.field = isRepeated ? "repeated" : "other";
      this.#isFieldNext = true;
      return !isRepeated;
    }
    if (isNoted && !this.otherFields.includes(name)) this.otherFields.push(name);
    return true;
  }

  #mayClose(isObject: boolean, expected: number): boolean {
    if (this.#depth === 0 || this.#isInObject !== isObject) return false;
    return expected === COMMA_OR_END || expected === (isObject ? KEY_OR_END : VALUE_OR_END);
  }

  /** The end of an escape or of a character beyond ASCII in a string; -1 if it is invalid. */
  #special(at: number): number {
    const byte = this.#bytes[at] as number;
    if (byte === BACKSLASH) {
      const end = endOfEscape(this.#bytes, at);
      if (end === -1) this.#malformed("A string contains an escape that JSON does not have", at);
      return end;
    }
    if (byte < 0x20) {
      const code = byte.toString(16).padStart(4, "0");
      this.#malformed(
        `A string contains a control character, which must be written as \\u${code},`,
        at,
      );
      return -1;
    }
    const end = endOfUtf8Sequence(this.#bytes, at);
    if (end === -1) this.malformed = NOT_UTF8;
    return end;
  }

  /** The end of a number; -1 if it is invalid. Records a number that loses value. */
  #number(begin: number): number {
    const bytes = this.#bytes;
    const end = bytes.length;
    let at = begin;
    if (bytes[at] === 0x2d) at++;
    const mantissa = at;
    if (at < end && bytes[at] === ZERO) at++;
    else if ((at = afterDigits(bytes, at)) === mantissa) return this.#noNumber(begin, at);
    if (at < end && bytes[at] === POINT) {
      const digits = at + 1;
      if ((at = afterDigits(bytes, digits)) === digits) return this.#noNumber(begin, at);
    }
    let isSafe = at - mantissa <= MANTISSA_LENGTH_SAFE;
    // A zero loses its sign.
    if (mantissa > begin && isZero(bytes, mantissa, at)) isSafe = false;
    if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
      at++;
      if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++;
      const digits = at;
      if ((at = afterDigits(bytes, digits)) === digits) return this.#noNumber(begin, at);
      if (at - digits > EXPONENT_DIGITS_SAFE) isSafe = false;
    }
    if (at < end && isDigit(bytes[at] as number)) return this.#noNumber(begin, at);
    if (!isSafe && this.#elementDepth !== -1) this.#noteIfLossy(begin, at);
    return at;
  }

  #noteIfLossy(begin: number, end: number): void {
    if (this.lossyNumbers.length >= 2 * this.#limits.notesMax) return;
    if (losesValue(decodeUtf8(this.#bytes, begin, end))) this.lossyNumbers.push(begin, end);
  }

  #noNumber(begin: number, at: number): number {
    const bytes = this.#bytes;
    const first = bytes[begin] as number;
    if (first !== 0x2d && !isDigit(first)) this.#unexpected(begin);
    else if (at === bytes.length) this.#truncated("inside a number");
    else this.#malformed("A number is not valid JSON", begin);
    return -1;
  }

  #literal(begin: number): number {
    const literal = LITERALS[this.#bytes[begin] as number];
    if (literal === undefined) {
      this.#unexpected(begin);
      return -1;
    }
    for (let i = 1; i < literal.length; i++) {
      const at = begin + i;
      if (at === this.#bytes.length) this.#truncated(`inside ${literal}`);
      else if (this.#bytes[at] !== literal.charCodeAt(i)) this.#unexpected(begin);
      else continue;
      return -1;
    }
    return begin + literal.length;
  }

  #unexpected(at: number, expected: number = this.#expected): true {
    this.#expected = expected;
    const byte = this.#bytes[at] as number;
    if (at === 0 && byte === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) {
      // Quoting it would show nothing.
      this.malformed = "The body starts with a byte order mark (U+FEFF). Remove it.";
    } else if (byte >= 0x80 && endOfUtf8Sequence(this.#bytes, at) === -1) {
      this.malformed = NOT_UTF8;
    } else {
      const isShown = byte > 0x20 && byte < 0x7f;
      const found = isShown ? `"${String.fromCharCode(byte)}"` : "another character";
      this.#malformed(`Expected ${this.#wanted()} but found ${found}`, at);
    }
    return true;
  }

  #truncated(where: string): true {
    const length = this.#bytes.length;
    if (length === 0) this.malformed = "The body is empty.";
    else this.#malformed(`The body ends ${where}`, length);
    return true;
  }

  #malformed(what: string, at: number): void {
    const inElement =
      this.starts.length > this.ends.length ? `, in ${this.#name}[${this.ends.length}]` : "";
    this.malformed = `${what} at byte ${at}${inElement}.`;
  }

  /** What may follow, in words. */
  #wanted(): string {
    switch (this.#expected) {
      case VALUE:
        return "a value";
      case VALUE_OR_END:
        return 'a value or "]"';
      case KEY:
        return "a key in double quotes";
      case KEY_OR_END:
        return 'a key in double quotes or "}"';
      case COLON:
        return '":"';
      default:
        if (this.#depth === 0) return "the end of the body";
        return this.#isInObject ? '"," or "}"' : '"," or "]"';
    }
  }
}

const NOT_UTF8 = "The body is not UTF-8.";

const LITERALS: Readonly<Record<number, string>> = { 0x74: "true", 0x66: "false", 0x6e: "null" };

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

const afterDigits = (bytes: Uint8Array, begin: number): number => {
  let at = begin;
  while (at < bytes.length && isDigit(bytes[at] as number)) at++;
  return at;
};

/** Whether all digits of a mantissa are zero. */
const isZero = (bytes: Uint8Array, begin: number, end: number): boolean => {
  let at = begin;
  while (at < end && (bytes[at] === ZERO || bytes[at] === POINT)) at++;
  return at === end;
};
