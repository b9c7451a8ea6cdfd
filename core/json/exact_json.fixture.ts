/**
 * JSON as it is written: numbers keep their spelling, and objects keep all members in order, including repeated ones. It
 * shares no code with the service.
 */
export type ExactJson =
  | string
  | boolean
  | null
  | ExactNumber
  | ExactObject
  | ReadonlyArray<ExactJson>;

export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export class ExactObject {
  readonly members: ReadonlyArray<readonly [key: string, value: ExactJson]>;
  constructor(members: ReadonlyArray<readonly [key: string, value: ExactJson]>) {
    this.members = members;
  }
  /** The values of the members with this key. */
  all(key: string): ReadonlyArray<ExactJson> {
    return this.members.filter(([name]) => name === key).map(([, value]) => value);
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gy;
const SPACE = /\s*/y;

/** Parses JSON text. */
export const readExactly = (text: string): ExactJson => {
  let at = 0;
  const next = (): string => {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    TOKEN.lastIndex = SPACE.lastIndex;
    const [token = ""] = TOKEN.exec(text) ?? [];
    at = TOKEN.lastIndex;
    return token;
  };
  const value = (token: string): ExactJson => {
    if (token === "{") {
      const members: Array<readonly [string, ExactJson]> = [];
      for (let key = next(); key !== "}"; key = next()) {
        if (key === ",") continue;
        next();
        members.push([JSON.parse(key) as string, value(next())]);
      }
      return new ExactObject(members);
    }
    if (token === "[") {
      const items: ExactJson[] = [];
      for (let item = next(); item !== "]"; item = next())
        if (item !== ",") items.push(value(item));
      return items;
    }
    if (token === "null") return null;
    if (token === "true" || token === "false") return token === "true";
    return token.startsWith('"') ? (JSON.parse(token) as string) : new ExactNumber(token);
  };
  return value(next());
};

/** Writes parsed JSON as text. */
export const writeExactly = (value: ExactJson): string => {
  if (value instanceof ExactNumber) return value.text;
  if (value instanceof ExactObject) {
    const members = value.members.map(
      ([key, inner]) => `${JSON.stringify(key)}:${writeExactly(inner)}`,
    );
    return `{${members.join()}}`;
  }
  return Array.isArray(value) ? `[${value.map(writeExactly).join()}]` : JSON.stringify(value);
};

/** The number of values and keys. */
export const countExactly = (value: ExactJson): number => {
  const inner = (values: ReadonlyArray<ExactJson>): number =>
    values.reduce<number>((sum, each) => sum + countExactly(each), 1);
  if (value instanceof ExactObject) {
    return inner(value.members.map((member) => member[1])) + value.members.length;
  }
  return Array.isArray(value) ? inner(value as ReadonlyArray<ExactJson>) : 1;
};

/** The same text for all spellings of one value of RFC 8259: numbers are decimals of any length, and keys have no order. */
export const canonicalExactly = (value: ExactJson): string => {
  if (value instanceof ExactNumber) return numberValue(value.text);
  if (value instanceof ExactObject) {
    const members = value.members.map(
      ([key, inner]) => `${JSON.stringify(key)}:${canonicalExactly(inner)}`,
    );
    return `{${members.toSorted().join()}}`;
  }
  return Array.isArray(value) ? `[${value.map(canonicalExactly).join()}]` : JSON.stringify(value);
};

/** A decimal as sign, digits and a power of ten; the sign of a zero is part of it. */
const decimal = (text: string): string => {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = BigInt(whole + fraction).toString();
  if (digits === "0") return `${sign}0`;
  const significant = digits.replace(/0+$/, "");
  const power = BigInt(exponent) - BigInt(fraction.length - digits.length + significant.length);
  return `${sign}${significant}e${power}`;
};

/** The parts of a value that `JSON.parse` or Postgres would lose, by path. */
export const lossesIn = (value: ExactJson, path = "", depth = 0): ReadonlyArray<string> => {
  if (value instanceof ExactNumber) return isKept(value.text) ? [] : [path];
  if (typeof value === "string") return isKeptText(value) ? [] : [path];
  if (value instanceof ExactObject) {
    const keys = value.members.map(([key]) => key);
    const inner = value.members.flatMap(([key, member], i) => {
      const place = path === "" ? key : `${path}.${key}`;
      return [
        ...(isKeptText(key) && key !== "__proto__" ? [] : [path]),
        ...(keys.indexOf(key) === i ? [] : [place]),
        ...lossesIn(member, place, depth + 1),
      ];
    });
    return [...(depth > DEPTH_MAX ? [path] : []), ...inner];
  }
  if (!Array.isArray(value)) return [];
  const items = (value as ReadonlyArray<ExactJson>).flatMap((item, i) =>
    lossesIn(item, `${path}[${i}]`, depth + 1),
  );
  return [...(depth > DEPTH_MAX ? [path] : []), ...items];
};

const DEPTH_MAX = 32;

const isKeptText = (text: string): boolean => !text.includes("\u0000") && text.isWellFormed();

/** Whether a number is the same when JavaScript prints it. */
const isKept = (text: string): boolean => {
  const value = Number(text);
  return Number.isFinite(value) && numberValue(text) === decimal(JSON.stringify(value));
};

/** A number as a decimal. If it has 17 digits, as some languages print a double: the shortest decimal of that double. */
const numberValue = (text: string): string => {
  const value = Number(text);
  const sent = decimal(text);
  if (!Number.isFinite(value) || value === 0 || sent !== decimal(value.toPrecision(17)))
    return sent;
  return decimal(JSON.stringify(value));
};
