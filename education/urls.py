"""Where the app's pages stand."""

from __future__ import annotations

from django.urls import path

from education import views

app_name = "education"
urlpatterns = [
    path("", views.home, name="home"),
    path("calculator/", views.calculator, name="calculator"),
    path("learn/", views.lessons, name="lessons"),
    path("learn/widgets/flat-rate/", views.flat_rate, name="flat_rate"),
    path("learn/<slug:slug>/", views.lesson, name="lesson"),
    path("learn/<slug:slug>/quiz/", views.quiz, name="quiz"),
]
