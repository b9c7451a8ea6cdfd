import { Data } from "effect";

import type { Configuration } from "./configuration.ts";

/** The HTTP listener could not be opened. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly message: string;
}> {}

/** Says why in the words of the settings that mend it. */
export const listenFailed = (
  error: unknown,
  { HOST, PORT }: Pick<Configuration, "HOST" | "PORT">,
): ListenFailed => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const where = `${HOST} port ${PORT}`;
  if (code === "EADDRINUSE") {
    return new ListenFailed({
      message: `Another process listens on ${where}. Stop it, or set PORT to another one (PORT=0 picks a free one).`,
    });
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new ListenFailed({ message: `HOST=${HOST} is no address of this machine.` });
  }
  if (code === "EACCES") {
    return new ListenFailed({ message: `Not allowed to listen on ${where}. Set PORT above 1023.` });
  }
  return new ListenFailed({
    message: `Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`,
  });
};
