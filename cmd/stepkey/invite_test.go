package main

import (
	"regexp"
	"strings"
	"testing"
)

// An invitation from the command line signs up one person at an instance that runs.
func TestInviteCommands(t *testing.T) {
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("STEPKEY_SIGNUP", "invite")
	address := "http://localhost:" + port
	start(t)
	if status, body := post(t, address+"/auth/signup", mira); status != 403 || !strings.Contains(body, "invitation_required") {
		t.Errorf("without an invitation: %d %s", status, body)
	}
	printed := wantCommand(t, 0, "SMTP_URL is not set", "invite", "--email", "mira@example.com", "--expires", "1h")
	made := regexp.MustCompile(`^` + address + `/invitation#(\S{43})\n(?s:.*)revoke (\S+)\n$`).FindStringSubmatch(printed)
	if made == nil {
		t.Fatalf("printed: %s", printed)
	}
	if listed := wantCommand(t, 0, made[2], "invite", "list"); !strings.Contains(listed, "mira@example.com") || strings.Contains(listed, made[1]) {
		t.Errorf("listed: %s", listed)
	}
	invited := strings.Replace(mira, "{", `{"invitation":"`+made[1]+`",`, 1)
	if status, body := post(t, address+"/auth/signup", invited); status != 201 {
		t.Errorf("with an invitation: %d %s", status, body)
	}
	wantCommand(t, 0, "mira@example.com, confirmed", "user", "show", "mira")
	wantCommand(t, 1, "no such invitation", "invite", "revoke", made[2])

	made = regexp.MustCompile(`#(\S{43})`).FindStringSubmatch(wantCommand(t, 0, "", "invite", "--language", "de"))
	invited = strings.NewReplacer("{", `{"invitation":"`+made[1]+`",`, "mira", "noor").Replace(mira)
	if status, body := post(t, address+"/auth/signup", invited); status != 201 {
		t.Errorf("invited in German: %d %s", status, body)
	}
	if users := wantCommand(t, 0, "", "user", "export"); strings.Count(users, `"language":"de"`) != 1 {
		t.Errorf("exported: %s", users)
	}
	wantCommand(t, 1, `STEPKEY_LANGUAGE is "german": the language is none of en, de`, "invite", "--language", "german")

	wantCommand(t, 1, "at most 720h", "invite", "--expires", "721h")
	wantCommand(t, 1, "--email is not", "invite", "--email", "mira")
	t.Setenv("STEPKEY_SIGNUP", "closed")
	wantCommand(t, 1, "set it to invite", "invite")
}
