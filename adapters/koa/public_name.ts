/**
 * Whether a request's Host is a name that somebody on the internet can have given to this machine. The page
 * of a web site that calls its own name 127.0.0.1 is, to a browser, of the same site as a service there, and
 * may read all that it says (DNS rebinding). An address, or a name without a dot, cannot be used so.
 */
export const isPublicName = (host: string | undefined): boolean => {
  const name = (host ?? "").replace(/:\d*$/, "");
  return name.includes(".") && !/^[\d.]+$|^\[.*\]$|\.(?:localhost|local|internal)\.?$/i.test(name);
};
