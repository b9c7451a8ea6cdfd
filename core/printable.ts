/**
 * Escapes everything in a text that a terminal or a log viewer does not simply show: control characters (line breaks
 * and the start of ANSI sequences among them), marks that change the direction of writing, characters that take no space
 * and so make two names look the same, and halves of surrogate pairs. The escapes are those of JavaScript, so in JSON they
 * stand for what they replace.
 */
export const printable = (text: string): string =>
  text.replaceAll(UNPRINTABLE, (found) =>
    Array.from({ length: found.length }, (_, i) => escaped(found.charCodeAt(i))).join(""),
  );

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;

/**
 * The message of an error in one printable line: the message of a database may repeat what a client sent. An error
 * without a message of its own has that of its cause, or those of its parts: Node reports a refused connection as an
 * `AggregateError` without a message, and the errors of ports have only a cause.
 */
export const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(messageOf).join(", ");
  }
  if (error instanceof Error && error.message === "" && error.cause !== undefined) {
    return messageOf(error.cause);
  }
  const message = error instanceof Error ? error.message : String(error);
  return printable(message.replaceAll(/\s*\n\s*/g, " "));
};
