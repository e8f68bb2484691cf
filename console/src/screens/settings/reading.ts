/** Roles and resource groups, which several parts of the settings show. */
import { useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";

export const ROLES_KEY = ["roles"] as const;
export const GROUPS_KEY = ["resource-groups"] as const;

export function useRoles(): readonly Schemas["RoleView"][] {
  return useQuery({ queryKey: ROLES_KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/roles", { signal })) }).data?.roles ?? [];
}

export function useGroups(): readonly Schemas["GroupView"][] {
  return useQuery({ queryKey: GROUPS_KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/resource-groups", { signal })) }).data?.groups ?? [];
}

export function useActivities(): readonly Schemas["ActivityView"][] {
  return useQuery({ queryKey: ["activities"], queryFn: ({ signal }) => take(client.GET("/api/v1/activities", { signal })), staleTime: Infinity }).data?.activities ?? [];
}
