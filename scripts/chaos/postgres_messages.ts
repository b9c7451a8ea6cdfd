/** One message of the Postgres protocol. */
export interface Message {
  /** Its type byte as a character; empty for the first message of a client, which has none. */
  readonly type: string;
  /** The whole message, type and length included. */
  readonly bytes: Buffer;
}

const LENGTH_BYTES = 4;

/**
 * Makes a function that parses a byte stream into messages of the Postgres protocol, however the network splits it. It
 * returns the messages that a chunk completes.
 *
 * @param opening whether the first message has no type, as on the side of a client
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export const makeMessageReader = (opening: boolean): ((chunk: Buffer) => Message[]) => {
  let rest: Buffer = Buffer.alloc(0);
  let untyped = opening;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const lengthAt = untyped ? 0 : 1;
      if (rest.length < lengthAt + LENGTH_BYTES) return messages;
      const end = lengthAt + rest.readInt32BE(lengthAt);
      if (rest.length < end) return messages;
      const type = untyped ? "" : String.fromCharCode(rest[0] ?? 0);
      messages.push({ type, bytes: rest.subarray(0, end) });
      rest = rest.subarray(end);
      untyped = false;
    }
  };
};

const BODY_AT = 1 + LENGTH_BYTES;

/** The zero-terminated strings at the beginning of a message. */
const textsOf = ({ bytes }: Message, count: number): ReadonlyArray<string> => {
  const texts: string[] = [];
  let at = BODY_AT;
  for (let i = 0; i < count; i++) {
    const end = bytes.indexOf(0, at);
    texts.push(bytes.toString("utf8", at, end));
    at = end + 1;
  }
  return texts;
};

/** What a message of a client executes: the text of a simple query, or a prepared statement. */
export type Runs =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Prepared"; readonly name: string };

/** What a message of a client executes; undefined for nothing. */
export const runsOf = (message: Message): Runs | undefined => {
  if (message.type === "Q") return { _tag: "Text", text: textsOf(message, 1)[0] ?? "" };
  if (message.type === "B") return { _tag: "Prepared", name: textsOf(message, 2)[1] ?? "" };
  return undefined;
};

/** The statement that a message of a client prepares; undefined for none. */
export const preparedBy = (
  message: Message,
): { readonly name: string; readonly text: string } | undefined => {
  if (message.type !== "P") return undefined;
  const [name = "", text = ""] = textsOf(message, 2);
  return { name, text };
};

/** Requests the answers so far. Unlike Sync it does not end the transaction. */
export const FLUSH: Buffer = Buffer.from([0x48, 0, 0, 0, LENGTH_BYTES]);
