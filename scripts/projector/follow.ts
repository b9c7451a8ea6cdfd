import { fileURLToPath } from "node:url";

const SERVICE = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/**
 * Becomes the service with the projector role alone, on the configuration of the environment: the same
 * process, so that signals reach it and its exit code is seen, however this one was started. Unless PORT
 * is set its health can be asked for on a free port: beside a service on the same machine the usual one
 * is taken.
 *
 * @throws where a process cannot become another program: on Windows, and in Node before 22.15
 */
export const follow = (): never => {
  if (process.execve === undefined) {
    throw new Error("follow does not work here. It is the same as npm start with ROLES=projector");
  }
  const env = { PORT: "0", ...process.env, ROLES: "projector" };
  return process.execve(process.execPath, [process.execPath, SERVICE], env);
};
