/**
 * One-dimensional Postgres arrays in the binary format of the wire protocol, in which `pg` sends a
 * Buffer. For thousands of elements this costs a tenth of printing, quoting and parsing them as
 * text.
 *
 * @see https://github.com/postgres/postgres/blob/REL_18_0/src/backend/utils/adt/arrayfuncs.c (array_recv)
 */

const TEXT_OID = 25;
const INT8_OID = 20;
const FLOAT8_OID = 701;

/** Number of dimensions, whether there are nulls, element type; then length and lower bound. */
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;

/** A `text[]`. */
export const textArray = (values: ReadonlyArray<string | null>): Buffer => {
  let bytes = HEADER_BYTES;
  // A UTF-16 unit takes at most three bytes as UTF-8.
  for (const value of values) bytes += 4 + (value === null ? 0 : value.length * 3);
  const buffer = Buffer.allocUnsafe(bytes);
  let offset = writeHeader(buffer, TEXT_OID, values.length);
  for (const value of values) {
    if (value === null) {
      offset = buffer.writeInt32BE(NULL_LENGTH, offset);
      continue;
    }
    const written = buffer.write(value, offset + 4);
    buffer.writeInt32BE(written, offset);
    offset += 4 + written;
  }
  return buffer.subarray(0, offset);
};

/** A `bigint[]` of safe integers. */
export const bigintArray = (values: ReadonlyArray<number>): Buffer =>
  numberArray(INT8_OID, values, (buffer, value, offset) => {
    buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), offset);
    buffer.writeUInt32BE(value >>> 0, offset + 4);
  });

/** A `float8[]`. */
export const float8Array = (values: ReadonlyArray<number>): Buffer =>
  numberArray(FLOAT8_OID, values, (buffer, value, offset) => {
    buffer.writeDoubleBE(value, offset);
  });

const numberArray = (
  oid: number,
  values: ReadonlyArray<number>,
  write: (buffer: Buffer, value: number, offset: number) => void,
): Buffer => {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + values.length * 12);
  let offset = writeHeader(buffer, oid, values.length);
  for (const value of values) {
    offset = buffer.writeInt32BE(8, offset);
    write(buffer, value, offset);
    offset += 8;
  }
  return buffer;
};

const writeHeader = (buffer: Buffer, oid: number, length: number): number => {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  return buffer.writeInt32BE(1, 16);
};
