/**
 * The key that a request carries: as a bearer token, or as the user name of Basic, which is what
 * ingestion clients send. Undefined when it carries none, or something else.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 * @see https://www.rfc-editor.org/rfc/rfc7617#section-2
 */
export const credentialOf = (authorization: string | undefined): string | undefined => {
  const [, scheme = "", value = ""] =
    /^([a-z]+) +([\x21-\x7e]+) *$/i.exec(authorization ?? "") ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic": {
      const [user = ""] = Buffer.from(value, "base64").toString("utf8").split(":");
      return user === "" ? undefined : user;
    }
    default:
      return undefined;
  }
};
