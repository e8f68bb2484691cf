/** What the owners of repositories say of archived files. */
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { MOST } from "./archive";

/** All datasets that have archived files, by repository. */
export const useArchives = () =>
  useQuery({
    queryKey: [...keys.archive, "datasets"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/archive", { signal })),
  });

/** The versions of one dataset at or below `path` (percent-encoded). An empty `repository` means all of them. */
export const useVersions = (dataset: string, repository: string, path: string, limit = MOST) =>
  useQuery({
    queryKey: [...keys.archive, "versions", dataset, repository, path, limit],
    queryFn: ({ signal }) => take(client.GET("/api/v1/archive", { params: { query: { dataset, repository, path, limit } }, signal })),
    enabled: dataset !== "",
  });
