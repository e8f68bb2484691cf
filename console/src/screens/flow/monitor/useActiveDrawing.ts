/** The drawing that is in force: of the revision that was activated, whatever the working copy has become since. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client, take } from "../../../api/client";
import type { Values } from "../../../draft/edits";
import { type Drawing, drawingOf } from "../drawing";
import { placesOf } from "../layout";

/** Vertices are higher with their figures: all stand as they do in the drawing, further apart. */
const SPREAD = 1.6;

function spread(drawing: Drawing): Drawing {
  const places = placesOf(drawing);
  const vertices = drawing.vertices.map((vertex) => {
    const [x, y] = places.get(vertex.name)!;
    return { ...vertex, place: [x, y * SPREAD] as const };
  });
  return { ...drawing, vertices };
}

export function useActiveDrawing(flow: string, revision: number | null) {
  const read = useQuery({
    queryKey: ["document", revision],
    queryFn: ({ signal }) => take(client.GET("/api/v1/environment/document", { params: { query: { revision: revision! } }, signal })),
    enabled: revision !== null,
    staleTime: Infinity,
  });
  const values = read.data?.values as Values | undefined;
  const drawing = useMemo<Drawing | null>(() => (values ? spread(drawingOf(values, flow)) : null), [values, flow]);
  return { drawing, error: read.error, refetch: read.refetch };
}
