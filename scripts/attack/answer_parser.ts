const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNKS_END = Buffer.from("0\r\n\r\n");

/**
 * Makes a function that parses the bytes of a connection, and calls `onAnswer` at the end of each answer.
 *
 * Supports only what the answers of the service use, `Content-Length` and chunks: whatever the process of an attack costs
 * is taken from the service.
 */
export const makeAnswerParser = (onAnswer: (status: number) => void): ((bytes: Buffer) => void) => {
  let head: Buffer = Buffer.alloc(0);
  let status = 0;
  let bodyLeft = 0;
  let chunked = false;
  let tail: Buffer = Buffer.alloc(0);

  /** Skips the body of the current answer, and returns the bytes after it. */
  const skipBody = (bytes: Buffer): Buffer => {
    if (!chunked) {
      const skipped = Math.min(bodyLeft, bytes.length);
      bodyLeft -= skipped;
      if (bodyLeft === 0) finish();
      return bytes.subarray(skipped);
    }
    const joined = Buffer.concat([tail, bytes]);
    const end = joined.indexOf(CHUNKS_END);
    if (end < 0) {
      tail = joined.subarray(-CHUNKS_END.length);
      return Buffer.alloc(0);
    }
    finish();
    return joined.subarray(end + CHUNKS_END.length);
  };
  const finish = (): void => {
    const finished = status;
    status = 0;
    chunked = false;
    tail = Buffer.alloc(0);
    onAnswer(finished);
  };

  return (bytes) => {
    let rest = bytes;
    while (rest.length > 0) {
      if (status !== 0) {
        rest = skipBody(rest);
        continue;
      }
      const joined = head.length === 0 ? rest : Buffer.concat([head, rest]);
      const end = joined.indexOf(HEAD_END);
      if (end < 0) {
        head = joined;
        return;
      }
      const text = joined.toString("latin1", 0, end + 2);
      head = Buffer.alloc(0);
      rest = joined.subarray(end + HEAD_END.length);
      status = Number(text.slice(9, 12));
      chunked = /\r\ntransfer-encoding: chunked\r\n/i.test(text);
      bodyLeft = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1] ?? 0);
      if (!chunked && bodyLeft === 0) finish();
    }
  };
};
