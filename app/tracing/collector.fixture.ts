import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** The parts of an OTLP span that tests read. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: ReadonlyArray<Attribute>;
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>;
  readonly status: { readonly code: number };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string };
}

/** An OpenTelemetry collector that receives OTLP over HTTP as JSON, and keeps it. */
export interface Collector {
  readonly url: string;
  readonly spans: ReadonlyArray<CollectedSpan>;
  /** The resource attributes of the senders, by name. */
  readonly resources: ReadonlyArray<ReadonlyMap<string, unknown>>;
  readonly requests: ReadonlyArray<{
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
  }>;
  readonly close: () => Promise<void>;
}

interface TraceData {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> };
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<CollectedSpan> }>;
  }>;
}

/** @param answers the status to answer a request with, or "never" */
export const startCollector = async (
  answers: () => number | "never" = () => 200,
): Promise<Collector> => {
  const spans: CollectedSpan[] = [];
  const resources: ReadonlyMap<string, unknown>[] = [];
  const requests: Array<{ path: string; headers: IncomingHttpHeaders }> = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests.push({ path: request.url ?? "", headers: request.headers });
    const status = answers();
    if (status === "never") return;
    if (status === 200) {
      const { resourceSpans } = (await json(request)) as TraceData;
      for (const { resource, scopeSpans } of resourceSpans) {
        resources.push(attributesOf(resource));
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
    }
    response.writeHead(status, { "Content-Type": "application/json" }).end("{}");
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    resources,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

/** The attributes of a span or a resource, by name. */
export const attributesOf = ({
  attributes,
}: {
  readonly attributes: ReadonlyArray<Attribute>;
}): ReadonlyMap<string, unknown> =>
  new Map(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue] as const));
